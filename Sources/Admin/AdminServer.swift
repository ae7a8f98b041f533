import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Resources
import Runtime
import Synchronization

/// The HTTP server at the admin address: health, readiness, metrics and what runs now.
///
/// Runs on the control plane's threads. It has no authentication: whoever reaches the address reads
/// everything, so it belongs on the loopback interface or a network of operators.
public final class AdminServer: Sendable {
  /// What one client may take, and how long an answer. The defaults suit scrapers and people.
  public struct Limits: Sendable {
    /// Open connections; more wait in the kernel's queue.
    public var connections = 64
    /// A connection on which nothing is read and no write is finished for so long is closed.
    public var stallTimeout = Duration.seconds(30)
    /// A connection is closed after this time, whatever it does.
    public var lifetime = Duration.seconds(600)
    /// Of a request's fields together.
    public var headBytes = 16_384
    public var fields = 100
    /// How long the workers may take to answer; 503 after that.
    public var backendTimeout = Duration.seconds(5)

    public init() {}
  }

  private struct State {
    var running: Task<Void, Never>?
    var port: Int?
  }

  /// How the start went: the port, or why there is none.
  private typealias Started = Result<Int, AdminServerError>

  private let address: HostPort
  private let limits: Limits
  private let logger: Logger
  private let responder: AdminResponder
  private let state = Mutex(State())

  /// - Parameter address: port 0 takes any that is free; see ``port``.
  public init(
    address: HostPort, backend: any AdminBackend, logger: Logger, limits: Limits = Limits()
  ) {
    self.address = address
    self.limits = limits
    self.logger = logger
    responder = AdminResponder(backend, timeout: limits.backendTimeout)
  }

  /// The port that it listens on; nil before ``start()`` has returned.
  public var port: Int? { state.withLock { $0.port } }

  /// Begins to serve, and returns when the address is open. To be called once.
  public func start() async throws(AdminServerError) {
    let (events, input) = AsyncStream.makeStream(of: Started.self)
    let application = makeApplication { input.yield(.success($0)) }
    let (address, logger) = (address, logger)
    let task = Task {
      do {
        try await application.run()
      } catch is CancellationError {
        // Stopped.
      } catch {
        let failure = AdminServerError(address: address.description, reason: Self.reason(of: error))
        if case .terminated = input.yield(.failure(failure)) { logger.error("\(failure)") }
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
  public func stop() async {
    let task = state.withLock { state in
      defer { state.running = nil }
      return state.running
    }
    task?.cancel()
    await task?.value
  }

  private func makeApplication(
    whenListening: @escaping @Sendable (Int) -> Void
  ) -> Application<AdminResponder> {
    // The framework's own lines say nothing that is not reported here.
    var quiet = logger
    quiet.logLevel = .critical
    let (stall, lifetime) = (TimeAmount(limits.stallTimeout), TimeAmount(limits.lifetime))
    return Application(
      responder: responder,
      server: .http1(
        configuration: HTTP1Channel.Configuration(
          additionalChannelHandlers: [ConnectionGuard(stallTimeout: stall, lifetime: lifetime)],
          idleTimeout: stall,
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: limits.headBytes, maxHeaderListSize: limits.headBytes,
            maxHeaderFieldCount: limits.fields))),
      configuration: ApplicationConfiguration(
        address: .hostname(address.host, port: Int(address.port)),
        availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
      onServerRunning: { channel in whenListening(channel.localAddress?.port ?? 0) },
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
