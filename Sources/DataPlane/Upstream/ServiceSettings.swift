import HTTPCodec
import Resources

/// A service's settings in the form that the data path uses: nanoseconds, and a worker's share of
/// the process's limits.
///
/// An object of the worker's own: a copy of the structure would count references to strings that
/// all workers share, and these counts are where cores meet.
public final class ServiceSettings {
  /// Without name and endpoints: services that differ in nothing else share this object.
  public let service: Service
  let connectNanoseconds: Int64
  let responseNanoseconds: Int64
  let idleNanoseconds: Int64
  let pendingNanoseconds: Int64
  let poolIdleNanoseconds: Int64
  let poolLifetimeNanoseconds: Int64
  let poolIdleMax: Int
  let connectionsMax: Int
  let inFlightMax: Int
  let pendingMax: Int
  /// Of the limit that follows response times; nil: there is none.
  let adaptiveMinimum: Int?
  let retryAttempts: Int
  let retryConditions: RetryConditions
  let retriesNonIdempotent: Bool
  let tunnelNanoseconds: Int64
  /// Endpoints may speak HTTP/2.
  let speaksHTTP2: Bool
  /// Endpoints speak nothing else.
  let speaksHTTP2Only: Bool
  let http2: HTTP2LocalSettings
  let http2StreamsMax: Int
  let http2ConnectionsMax: Int

  init(_ service: Service, workerCount: Int) {
    self.service = service
    connectNanoseconds = service.timeouts.connect.inNanoseconds
    responseNanoseconds = service.timeouts.response.inNanoseconds
    idleNanoseconds = service.timeouts.idle.inNanoseconds
    pendingNanoseconds = service.limits.pendingTimeout.inNanoseconds
    poolIdleNanoseconds = service.pool.idleTimeout.inNanoseconds
    poolLifetimeNanoseconds = service.pool.lifetime.inNanoseconds
    poolIdleMax = service.pool.idleMax
    // Rounded up: a limit below the number of workers still lets each of them work.
    func share(_ limit: Int) -> Int { (limit + workerCount - 1) / workerCount }
    connectionsMax = share(service.limits.connections)
    inFlightMax = share(service.limits.inFlight)
    pendingMax = share(service.limits.pending)
    adaptiveMinimum = service.limits.adaptive.map { share($0.minimum) }
    retryAttempts = service.retries?.attempts ?? 0
    retryConditions = RetryConditions(service.retries?.on ?? [])
    retriesNonIdempotent = service.retries?.nonIdempotent ?? false
    tunnelNanoseconds = service.timeouts.tunnel.inNanoseconds
    speaksHTTP2 = service.protocol != .http1
    speaksHTTP2Only = service.protocol == .http2
    http2 = HTTP2LocalSettings(
      streamWindowBytes: service.http2.windowBytes,
      connectionWindowBytes: service.http2.connectionWindowBytes, headBytes: nil)
    http2StreamsMax = service.http2.streams
    http2ConnectionsMax = service.http2.connections
  }
}
