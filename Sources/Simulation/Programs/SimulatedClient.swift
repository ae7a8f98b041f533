import HTTPCodec
import Runtime

/// A client of the gateway: a host with a worker of its own.
public final class SimulatedClient {
  public let worker: Worker
  private let simulation: Simulation
  let gateway: SocketAddress

  /// - Parameter gateway: whom its connections go to.
  public init(_ simulation: Simulation, host: SocketAddress, gateway: SocketAddress) {
    self.simulation = simulation
    self.gateway = gateway
    worker = simulation.addWorker(host: host)
  }

  /// - Parameter listener: whom to connect to, if not the gateway's first.
  public func connect(to listener: SocketAddress? = nil) async throws(StreamFailure) -> SimulatedStream {
    try await SimulatedStream.connect(to: listener ?? gateway, on: worker)
  }

  /// Starts a program with a connection of its own, which is closed at its end.
  @discardableResult
  public func start(
    _ name: String, _ program: @escaping (SimulatedStream) async throws(StreamFailure) -> Void
  ) -> SimulatedProgram {
    startUnconnected(name) { () throws(StreamFailure) in
      let stream = try await self.connect()
      defer { stream.close() }
      try await program(stream)
    }
  }

  /// Starts a program that makes its connections itself.
  @discardableResult
  public func startUnconnected(
    _ name: String, _ program: @escaping () async throws(StreamFailure) -> Void
  ) -> SimulatedProgram {
    let outcome = SimulatedProgram(name: name)
    simulation.start(name, on: worker) {
      do throws(StreamFailure) {
        try await program()
      } catch {
        outcome.failure = error
      }
    }
    return outcome
  }

  /// The bytes of a request.
  public static func request(
    _ method: String = "GET", _ target: String = "/", fields: [String] = [], body: [UInt8]? = nil
  ) -> [UInt8] {
    var text = "\(method) \(target) HTTP/1.1\r\nHost: gateway.test\r\n"
    for field in fields { text += field + "\r\n" }
    if let body { text += "Content-Length: \(body.count)\r\n" }
    return Array((text + "\r\n").utf8) + (body ?? [])
  }

  /// Content in chunks of a size.
  public static func chunks(_ body: [UInt8], size: Int, trailers: [String] = []) -> [UInt8] {
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: body.count, by: size) {
      let piece = body[start..<min(start + size, body.count)]
      bytes += Array((String(piece.count, radix: 16) + "\r\n").utf8) + piece + [13, 10]
    }
    var end = "0\r\n"
    for trailer in trailers { end += trailer + "\r\n" }
    return bytes + Array((end + "\r\n").utf8)
  }
}

/// A client's program and how it ended.
public final class SimulatedProgram {
  public let name: String
  /// What the program threw.
  public internal(set) var failure: StreamFailure?

  init(name: String) { self.name = name }
}
