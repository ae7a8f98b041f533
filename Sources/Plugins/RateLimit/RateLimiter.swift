import DataPlane
import Runtime
import TLS

/// One limit of one use of the plugin, on one worker.
final class RateLimiter {
  let limit: RateLimit.Limit
  /// What clients are told, up to the number of requests that remain: `RateLimit-Policy` and `X-RateLimit-Limit`,
  /// and the beginning of the line behind them. Empty where they are told nothing.
  let linesUpToRemaining: [UInt8]
  private let worker: Worker
  private let seed: Int
  private var buckets: WorkerBuckets
  /// Nil where the gateway counts for itself.
  private let leases: LeasedBuckets?
  private let prefix: [UInt8]
  /// What names in Redis are made of, beside the request's key.
  private let identity: [UInt8]

  /// - place: The path that it is for, if any.
  init(
    _ limit: RateLimit.Limit, _ shared: SharedBuckets, _ place: String, _ settings: RateLimit,
    _ site: PluginSite, _ client: RedisClient?
  ) {
    self.limit = limit
    worker = site.worker
    seed = shared.seed
    buckets = WorkerBuckets(shared, limit.bucket, workerCount: site.workerCount)
    linesUpToRemaining = Self.linesUpToRemaining(limit, settings)
    prefix = settings.redis?.prefix ?? []
    identity = Array("\(site.scope.description)\n\(place)\n\(limit.identity)\n".utf8)
    leases = client.map {
      LeasedBuckets(
        limit.bucket, $0, timeoutNanoseconds: settings.redis?.timeoutNanoseconds ?? 0,
        workerCount: site.workerCount, on: site.worker)
    }
  }

  private static func linesUpToRemaining(_ limit: RateLimit.Limit, _ settings: RateLimit) -> [UInt8] {
    var lines = ""
    if settings.usesStandardFields {
      lines += "RateLimit-Policy: \"default\";q=\(limit.requests);w=\(limit.seconds)\r\n"
    }
    if settings.usesXFields { lines += "X-RateLimit-Limit: \(limit.requests)\r\n" }
    if settings.usesStandardFields {
      lines += "RateLimit: \"default\";r="
    } else if settings.usesXFields {
      lines += "X-RateLimit-Remaining: "
    }
    return Array(lines.utf8)
  }

  /// Nanoseconds until a bucket is full that has room for so many requests.
  func fillingTime(of remaining: Int) -> Int64 { limit.bucket.fillingTime(of: remaining) }

  func take(_ exchange: Exchange) -> LeasedBuckets.Step {
    let key = limit.key.hash(of: exchange, seed: seed)
    guard let leases else { return .decided(buckets.take(key, at: worker.now.nanoseconds)) }
    return leases.take(key) { name(for: exchange) }
  }

  /// What the gateway lets pass by itself.
  func takeLocally(_ exchange: Exchange) -> WorkerBuckets.Result {
    buckets.take(limit.key.hash(of: exchange, seed: seed), at: worker.now.nanoseconds)
  }

  /// After ``take(_:)`` has said that Redis must be asked. On the exchange's task.
  func waitForRedis(_ exchange: Exchange) async -> LeasedBuckets.Step {
    guard let leases else { return take(exchange) }
    let key = limit.key.hash(of: exchange, seed: seed)
    return await leases.wait(for: key, exchange) { name(for: exchange) }
  }

  /// `penstock:rate-limit:` and 32 digits of a digest: it is as long for every request, says nothing of who calls to
  /// those who see Redis's keys, and nobody can make two requests have the same.
  private func name(for exchange: Exchange) -> [UInt8] {
    var bytes = identity
    limit.key.append(of: exchange, to: &bytes)
    let digest = HexadecimalText.encode(Array(SHA256.digest(of: bytes).prefix(16)))
    return prefix + Array(":rate-limit:\(digest)".utf8)
  }
}
