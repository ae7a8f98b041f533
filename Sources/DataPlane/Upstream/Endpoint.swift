import Runtime

/// One address of a service, as one worker sees it.
public final class Endpoint {
  public let name: String
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
    address = resolved.address
    addressText = Array(resolved.address.description.utf8)
    weight = resolved.weight
    isHealthy = resolved.isHealthy
    self.availableSince = availableSince
  }
}
