import Runtime
import UnixSignals

/// Echo origins on a thread of their own.
public final class EmbeddedOrigins: Sendable {
  private let origins: WorkerLocal<Origins>
  private let end: AsyncStream<Void>

  /// Starts the thread.
  public init() {
    let worker = Worker(index: 0, seam: EpollSeam())
    origins = WorkerLocal(on: worker) { Origins(worker: $0) }
    let (end, input) = AsyncStream.makeStream(of: Void.self)
    self.end = end
    WorkerThread.start(worker, name: "origin", pinned: false) { input.finish() }
  }

  /// Starts origins on these ports of 127.0.0.1, or on free ones where they are taken, and returns
  /// the ports.
  public func start(names: [String], ports: [UInt16]) async -> [UInt16] {
    var started: [UInt16] = []
    for (name, port) in zip(names, ports) {
      for candidate in [port, 0] {
        guard let address = try? await start(name: name, ip: "127.0.0.1", port: candidate) else { continue }
        started.append(address.port)
        break
      }
    }
    return started
  }

  /// Starts one origin.
  /// - Throws: why it cannot listen there.
  public func start(name: String, ip: String, port: UInt16) async throws(SystemError) -> SocketAddress {
    guard let address = SocketAddress(ip: ip, port: port) else { throw SystemError.invalidArgument }
    let result = await origins.call { $0.start(name: name, address: address) }
    guard let result else { throw SystemError.invalidArgument }
    return try result.get()
  }

  /// Returns at SIGTERM or SIGINT.
  public func waitForSignal() async {
    for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { return }
  }

  /// Ends the thread, and with it every connection.
  public func stop() async {
    origins.post { $0.close() }
    origins.worker.stop()
    for await _ in end {}
  }

  private final class Origins {
    private let worker: Worker
    private var origins: [EchoOrigin] = []

    init(worker: Worker) { self.worker = worker }

    func start(name: String, address: SocketAddress) -> Result<SocketAddress, SystemError> {
      do throws(SystemError) {
        let origin = try EchoOrigin(name: name, address: address, on: worker)
        origins.append(origin)
        return .success(origin.address)
      } catch {
        return .failure(error)
      }
    }

    func close() {
      for origin in origins { origin.close() }
      origins = []
    }
  }
}
