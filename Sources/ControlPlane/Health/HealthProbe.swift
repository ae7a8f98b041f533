import HTTPCodec
import Resources
import Runtime
import TLS

/// One check of one endpoint, over a connection of its own.
struct HealthProbe {
  enum Outcome: Equatable {
    case success
    /// Why, for the log: `connection refused`, `HTTP 503`.
    case failure(String)
    /// This process could not make the check; it says nothing about the endpoint.
    case inconclusive(String)
  }

  let check: HealthCheck
  /// Of the endpoint, as traffic reaches it.
  let address: SocketAddress
  /// As in the configuration: `orders.internal:8080`.
  let name: String
  let userAgent: String
  var transport = HealthTransport()
  /// Made of the transport's `security`.
  var tls: HealthTLS?

  /// Runs on the waiter's worker.
  func run(_ waiter: ProbeWaiter) async -> Outcome {
    let worker = waiter.worker
    let deadline = worker.now.advanced(byNanoseconds: check.timeout.inNanoseconds)
    var target = address
    if let port = check.port { target.port = port }
    let socket: Socket
    do throws(SystemError) {
      socket =
        transport.tls == nil
        ? try Socket(connectingTo: target, on: worker) : try TLSSocket(connectingTo: target, on: worker)
    } catch {
      return error.isShortage ? .inconclusive(error.description) : .failure(error.description)
    }
    socket.watcher = waiter
    // Not by a reset: servers log those.
    defer { socket.close() }
    let connection = ProbeConnection(
      socket: socket, waiter: waiter, deadline: deadline, timeout: check.timeout)
    if let failure = await connection.finishConnecting() { return failure }
    if let socket = socket as? TLSSocket, let failure = await secure(socket, connection, target) {
      return failure
    }
    return await ask(connection, (socket as? TLSSocket)?.applicationProtocol)
  }

  // MARK: TLS

  /// `nil` when the connection may be used.
  private func secure(
    _ socket: TLSSocket, _ connection: ProbeConnection, _ target: SocketAddress
  ) async -> Outcome? {
    switch tls?.context {
    case nil: return .inconclusive("TLS is not set up")
    case .failure(let error): return .inconclusive(error.description)
    case .success(let context):
      socket.startClient(context, serverName: transport.tls?.serverName ?? host, endpoint: target)
      return await connection.shakeHands(socket)
    }
  }

  /// The endpoint's name without its port, an address without brackets.
  private var host: String {
    guard let colon = name.lastIndex(of: ":") else { return name }
    let host = name[..<colon]
    return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
  }

  // MARK: The question

  /// - Parameter agreed: what ALPN has come to, if anything.
  private func ask(_ connection: ProbeConnection, _ agreed: ApplicationProtocol?) async -> Outcome {
    switch check.probe {
    case .tcp: return .success
    case .http(let path, let host, let statuses):
      if speaksHTTP2Only && transport.tls != nil && agreed != .http2 { return Self.noHTTP2 }
      guard speaksHTTP2Only || agreed == .http2 else {
        return await HTTP1Probe(path: path, host: host ?? name, userAgent: userAgent, statuses: statuses)
          .run(connection)
      }
      let request = HTTP2Probe.Request(
        path: path, authority: host ?? name, userAgent: userAgent, isHTTPS: transport.tls != nil)
      return await HTTP2Probe(connection, request, .http(statuses)).run()
    case .grpc(let service, let host):
      if transport.tls != nil && agreed != .http2 { return Self.noHTTP2 }
      var request = HTTP2Probe.Request(
        path: GRPCHealth.path, authority: host ?? name, userAgent: userAgent, isHTTPS: transport.tls != nil)
      request.grpcMessage = GRPCHealth.request(for: service)
      request.grpcTimeout = GRPCHealth.timeoutText(check.timeout)
      return await HTTP2Probe(connection, request, .grpc).run()
    }
  }

  private var speaksHTTP2Only: Bool { transport.protocol == .http2 }

  private static let noHTTP2 = Outcome.failure("the endpoint does not agree to HTTP/2 (ALPN)")

  /// What a status says; no statuses: success and redirection.
  static func judge(_ status: Int, _ statuses: [ClosedRange<Int>]) -> Outcome {
    let isExpected =
      statuses.isEmpty ? (200...399).contains(status) : statuses.contains { $0.contains(status) }
    return isExpected ? .success : .failure("HTTP \(status)")
  }
}
