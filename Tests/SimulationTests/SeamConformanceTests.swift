import Glibc
import Runtime
import Simulation
import Testing

/// What the simulated seam and the system's answer to the same calls, side by side.
@Suite("Seam conformance")
struct SeamConformanceTests {
  @Test("The simulated seam answers as the system does", arguments: Steps.all)
  func conformance(steps: Steps) throws {
    let simulated = try Player.simulated().play(steps)
    let real = try Player.real().play(steps)
    #expect(simulated == real)
    #expect(!real.isEmpty)
  }
}

/// A sequence of calls on a connection.
struct Steps: Sendable, CustomTestStringConvertible {
  enum Side { case client, server }
  enum Step {
    case send(Side, String)
    case receive(Side, Int)
    case finish(Side)
    case close(Side, reset: Bool)
    case quiet(Side)
    case error(Side)
    /// Lets everything arrive and notes what the poll reports.
    case settle
  }

  let testDescription: String
  let steps: [Step]

  static let all = [
    Steps(
      testDescription: "half close",
      steps: [
        .quiet(.server), .send(.client, "last"), .finish(.client), .settle, .quiet(.server),
        .receive(.server, 2),
        .receive(.server, 9), .receive(.server, 9), .send(.server, "answer"), .settle, .receive(.client, 9),
        .receive(.client, 9), .send(.client, "more"), .finish(.server), .settle, .receive(.client, 9),
      ]),
    Steps(
      testDescription: "close with something unread",
      steps: [
        .send(.server, "early"), .send(.client, "unread"), .settle, .close(.server, reset: false), .settle,
        .receive(.client, 9), .receive(.client, 9), .receive(.client, 9), .send(.client, "x"),
      ]),
    Steps(
      testDescription: "send to a closed socket",
      steps: [
        .close(.server, reset: false), .settle, .send(.client, "x"), .settle, .error(.client),
        .send(.client, "y"),
        .receive(.client, 9),
      ]),
    Steps(
      testDescription: "send to a closed socket, without asking for the error",
      steps: [
        .close(.server, reset: false), .settle, .send(.client, "x"), .settle, .send(.client, "y"),
        .send(.client, "z"),
      ]),
    Steps(
      testDescription: "reset while idle",
      steps: [
        .close(.client, reset: true), .settle, .quiet(.server), .send(.server, "x"), .receive(.server, 9),
      ]),
    Steps(
      testDescription: "reset, seen by sending",
      steps: [
        .close(.client, reset: true), .settle, .send(.server, "x"), .send(.server, "x"), .receive(.server, 9),
      ]),
    Steps(
      testDescription: "reset, seen by receiving",
      steps: [
        .send(.client, "before"), .close(.client, reset: true), .settle, .receive(.server, 9),
        .receive(.server, 9),
        .receive(.server, 9), .send(.server, "x"),
      ]),
    Steps(
      testDescription: "news for every arrival",
      steps: [
        .send(.client, "a"), .settle, .settle, .send(.client, "b"), .settle, .receive(.server, 9), .settle,
      ]),
  ]
}

/// Plays steps on two seams that are connected with each other.
private final class Player {
  private let client: Seam
  private let server: Seam
  private var clientHandle: Int32 = -1
  private var serverHandle: Int32 = -1
  private let pause: () -> Void
  private let address: SocketAddress
  private var log: [String] = []
  private let simulation: Simulation?

  private init(
    _ client: Seam, _ server: Seam, _ address: SocketAddress, _ simulation: Simulation?,
    pause: @escaping () -> Void
  ) {
    self.client = client
    self.server = server
    self.address = address
    self.pause = pause
    self.simulation = simulation
  }

  static func simulated() -> Player {
    let simulation = Simulation()
    let address = SocketAddress(ipv4: 10, 0, 0, 1, port: 80)
    let server = simulation.addWorker(host: address).seam
    let client = simulation.addWorker(host: SocketAddress(ipv4: 10, 0, 0, 2, port: 0)).seam
    return Player(client, server, address, simulation) { simulation.network.pass(.milliseconds(10)) }
  }

  static func real() -> Player {
    // Loopback delivers within the call that sends; the pause is for the machine's worst day.
    Player(EpollSeam(), EpollSeam(), SocketAddress(ipv4: 127, 0, 0, 1, port: 0), nil) { usleep(20_000) }
  }

  func play(_ steps: Steps) throws -> [String] {
    let listener = try server.listen(on: address, backlog: 8)
    clientHandle = try client.connect(to: #require(server.localAddress(of: listener)))
    pause()
    var peer = SocketAddress.any
    serverHandle = Int32(server.accept(from: listener, peer: &peer).bytes)
    try #require(serverHandle >= 0)
    #expect(server.watch(accepted: serverHandle))
    settle()
    for step in steps.steps { perform(step) }
    if clientHandle >= 0 { client.close(clientHandle, reset: false) }
    if serverHandle >= 0 { server.close(serverHandle, reset: false) }
    server.close(listener, reset: false)
    return log
  }

  private func seam(_ side: Steps.Side) -> (Seam, Int32) {
    side == .client ? (client, clientHandle) : (server, serverHandle)
  }

  private func perform(_ step: Steps.Step) {
    switch step {
    case .send(let side, let text):
      let (seam, handle) = seam(side)
      let result = unsafe Array(text.utf8).withUnsafeBytes { unsafe seam.send(handle, $0) }
      note(side, "send", result)
    case .receive(let side, let count):
      let (seam, handle) = seam(side)
      var bytes = [UInt8](repeating: 0, count: count)
      let result = unsafe bytes.withUnsafeMutableBytes { unsafe seam.receive(handle, into: $0) }
      note(side, "receive \(String(decoding: bytes.prefix(max(result.bytes, 0)), as: UTF8.self))", result)
    case .finish(let side):
      let (seam, handle) = seam(side)
      seam.shutdownSending(handle)
    case .close(let side, let reset): close(side, reset: reset)
    case .quiet(let side):
      let (seam, handle) = seam(side)
      log.append("\(side) is quiet: \(seam.isQuiet(handle))")
    case .error(let side):
      let (seam, handle) = seam(side)
      log.append("\(side) error: \(seam.connectError(of: handle)?.number ?? 0)")
    case .settle: settle()
    }
  }

  private func close(_ side: Steps.Side, reset: Bool) {
    let (seam, handle) = seam(side)
    seam.close(handle, reset: reset)
    if side == .server { serverHandle = -1 } else { clientHandle = -1 }
  }

  private func settle() {
    pause()
    for (side, seam, handle) in [(Steps.Side.client, client, clientHandle), (.server, server, serverHandle)]
    where handle >= 0 {
      var events: [ReadyEvent] = []
      seam.poll(until: seam.now(), into: &events)
      var readiness: Readiness = []
      for event in events where event.handle == handle { readiness.formUnion(event.readiness) }
      log.append("\(side) news: \(readiness.rawValue)")
    }
  }

  private func note(_ side: Steps.Side, _ call: String, _ result: IOResult) {
    log.append("\(side) \(call): \(result.bytes)")
  }
}
