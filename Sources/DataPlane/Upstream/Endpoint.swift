import Runtime

/// One address of a service, as one worker sees it.
public final class Endpoint {
  public let name: String
  /// The host of ``name``: what its certificate has to be for.
  let host: String
  public let address: SocketAddress
  /// ``SocketAddress/description`` as bytes: what logs and the sticky cookie's value are made of.
  public let addressText: [UInt8]
  /// As configured; 0 takes no new requests.
  public var weight: Int
  /// What active checks say.
  public var isHealthy: Bool
  /// Passive ejection ends then; in the past, or zero, when not ejected.
  public var ejectedUntil = MonotonicTime(nanoseconds: 0)
  /// When it was added or became available again: slow start counts from here. Endpoints that were
  /// there from the worker's start do not start slowly.
  public var availableSince: MonotonicTime
  /// Requests of this worker that it is serving.
  public var inFlight = 0
  /// Connections of this worker that are open and unused.
  var pool = ConnectionPool()
  /// Connections of HTTP/2 of this worker, those in use first.
  var multiplexers: [HTTP2UpstreamConnection] = []
  /// What its last connection spoke, where ALPN decides: others need not wait for one another then.
  var speaksHTTP1 = false
  /// A connection of HTTP/2 is being made; who waits for it.
  var isConnecting = false
  var connectWaiters: [Waiter] = []
  /// Until then nobody is told of failures again.
  var quietUntil = MonotonicTime(nanoseconds: 0)
  /// Taken out of its service: its connections are not kept.
  var isGone = false

  // Counted by this worker since its start.
  public var requestCount: UInt64 = 0
  public var failureCount: UInt64 = 0
  public var ejectionCount: UInt64 = 0
  /// Failures in a row, for ejection.
  var consecutiveFailures = 0
  /// Ejections in a row, which lengthen the next one.
  var consecutiveEjections = 0

  public init(_ resolved: ResolvedEndpoint, availableSince: MonotonicTime) {
    name = resolved.name
    host = Endpoint.host(of: resolved.name)
    address = resolved.address
    addressText = Array(resolved.address.description.utf8)
    weight = resolved.weight
    isHealthy = resolved.isHealthy
    self.availableSince = availableSince
  }

  /// The connection of HTTP/2 that was being made is there, or there will be none.
  func endConnecting() {
    isConnecting = false
    let waiters = connectWaiters
    connectWaiters.removeAll()
    for waiter in waiters { waiter.wake() }
  }

  /// `orders.internal:8443` without its port, `[::1]:8443` without brackets as well.
  private static func host(of name: String) -> String {
    guard let colon = name.lastIndex(of: ":") else { return name }
    let host = name[..<colon]
    return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
  }
}
