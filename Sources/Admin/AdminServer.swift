import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Resources
import Runtime
import Synchronization

/// The HTTP server at the admin address: health, readiness, metrics, what runs now, and the API that
/// changes it.
///
/// Runs on the control plane's threads. Without a token, whoever reaches the address reads and changes
/// everything, so it then belongs on the loopback interface.
public final class AdminServer: Sendable {
  /// What one client may take, and how long an answer. The defaults suit scrapers and people.
  public struct Limits: Sendable {
    /// Open connections; more wait in the kernel's queue.
    public var connections = 64
    /// A connection on which nothing is read and no write is finished for so long is closed.
    public var stallTimeout = Duration.seconds(30)
    /// A connection is closed after this time, whatever it does; streams of events are not.
    public var lifetime = Duration.seconds(600)
    /// Of a request's fields together.
    public var headBytes = 16_384
    public var fields = 100
    /// How long the workers may take to answer; 503 after that.
    public var backendTimeout = Duration.seconds(5)
    /// How long a change may take: a large one is validated, compiled and written meanwhile.
    public var changeTimeout = Duration.seconds(120)
    /// Readers of `/v1/events`; each holds a connection.
    public var eventStreams = 16
    /// How often such a reader hears something; shorter than ``stallTimeout``.
    public var heartbeat = Duration.seconds(15)

    public init() {}
  }

  private struct State {
    var running: Task<Void, Never>?
    var listening: (any Channel)?
    var eventLoops: (any EventLoopGroup)?
    /// Another process serves the address; connections that are there go on.
    var isReleased = false
    var port: Int?
  }

  /// How the start went: the port, or why there is none.
  private typealias Started = Result<Int, AdminServerError>

  private let address: HostPort
  private let limits: Limits
  private let logger: Logger
  private let responder: AdminResponder
  private let connections = OpenConnections()
  private let state = Mutex(State())

  /// - Parameters:
  ///   - address: port 0 takes any that is free; see ``port``.
  ///   - access: who may use the API; asked at every request, so that a new token counts at once.
  public init(
    address: HostPort, backend: any AdminBackend, resources: any ResourceBackend,
    access: @escaping @Sendable () -> AdminAccess = { .open }, logger: Logger, limits: Limits = Limits()
  ) {
    self.address = address
    self.limits = limits
    self.logger = logger
    responder = AdminResponder(
      routes: AdminRoutes(gateway: backend, resources: resources, limits: limits).all,
      access: AccessControl(access: access, address: address))
  }

  /// The port that it listens on; nil before ``start()`` has returned.
  public var port: Int? { state.withLock { $0.port } }

  /// Begins to serve, and returns when the address is open. To be called once.
  public func start() async throws(AdminServerError) {
    let (events, input) = AsyncStream.makeStream(of: Started.self)
    let application = makeApplication { [weak self] channel in
      self?.state.withLock { $0.listening = channel }
      input.yield(.success(channel.localAddress?.port ?? 0))
    }
    state.withLock { $0.eventLoops = application.eventLoopGroup }
    let task = Task { [address, logger, weak self] in
      do {
        try await application.run()
      } catch is CancellationError {
        // Stopped.
      } catch {
        let failure = AdminServerError(address: address.description, reason: Self.reason(of: error))
        let isReleased = self?.state.withLock { $0.isReleased } ?? false
        if case .terminated = input.yield(.failure(failure)), !isReleased { logger.error("\(failure)") }
      }
      input.finish()
    }
    var started: Started?
    for await event in events {
      started = event
      break
    }
    switch started {
    case .success(let port):
      state.withLock { state in
        state.running = task
        state.port = port
      }
    case .failure(let error): throw error
    case nil: throw AdminServerError(address: address.description, reason: "it ended at once")
    }
  }

  /// Closes the address and its connections. Calling it again, or before ``start()``, does nothing.
  ///
  /// - Parameter limit: how long those that are connected may go on; returns before when there are none.
  public func stop(leaving limit: Duration = .zero) async {
    let task = state.withLock { state in
      defer { state.running = nil }
      return state.running
    }
    // First, so that no connection is on its way when the listener closes.
    await stopListening()
    await connections.waitUntilEmpty(atMost: limit)
    task?.cancel()
    await task?.value
    if task != nil { connections.close() }
  }

  /// Closes the address, for another process to open. Its connections go on until ``stop()``.
  ///
  /// NIO traps where its listener closes while a connection is on its way to whoever serves it. So nothing
  /// more is accepted first, and those that are on their way arrive: each hop of theirs is a task of an event
  /// loop, and tasks run in their order.
  public func stopListening() async {
    let (listening, eventLoops) = state.withLock { state in
      state.isReleased = true
      defer { state.listening = nil }
      return (state.listening, state.eventLoops)
    }
    guard let listening, let eventLoops else { return }
    // All of these fail only where it is closed already.
    try? await listening.setOption(.autoRead, value: false).get()
    for _ in 0..<Self.acceptHopsMax {
      for loop in eventLoops.makeIterator() { try? await loop.submit {}.get() }
    }
    try? await listening.close()
  }

  /// Event loops' tasks between the acceptance of a connection and its arrival, and some more.
  private static let acceptHopsMax = 8

  private func makeApplication(
    whenListening: @escaping @Sendable (any Channel) -> Void
  ) -> Application<AdminResponder> {
    // The framework's own lines say nothing that is not reported here.
    var quiet = logger
    quiet.logLevel = .critical
    let (stall, lifetime) = (TimeAmount(limits.stallTimeout), TimeAmount(limits.lifetime))
    let connections = connections
    return Application(
      responder: responder,
      server: .http1(
        configuration: HTTP1Channel.Configuration(
          additionalChannelHandlers: [
            ConnectionGuard(stallTimeout: stall, lifetime: lifetime, connections: connections)
          ],
          idleTimeout: stall,
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: limits.headBytes, maxHeaderListSize: limits.headBytes,
            maxHeaderFieldCount: limits.fields))),
      configuration: ApplicationConfiguration(
        address: .hostname(address.host, port: Int(address.port)),
        availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
      onServerRunning: { channel in whenListening(channel) },
      logger: quiet)
  }

  /// The system's words for what went wrong.
  private static func reason(of error: any Error) -> String {
    if let error = error as? IOError { return SystemError(error.errnoCode).description }
    return "\(error)"
  }
}

/// The admin address could not be opened, or serving it ended.
public struct AdminServerError: Error, Sendable, CustomStringConvertible {
  /// As configured.
  public let address: String
  public let reason: String

  public var description: String { "cannot serve the admin address \(address): \(reason)" }
}
