import DataPlane
import HTTPCodec
import Resources
import Runtime

extension RateLimit: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { RateLimitPlugin(self, site) }
}

/// The buckets of all limits of one use of the plugin.
private final class RateLimitState: Sendable {
  let limits: [SharedBuckets]
  let paths: [[SharedBuckets]]

  init(_ settings: RateLimit) {
    limits = settings.limits.map { SharedBuckets($0.bucket) }
    paths = settings.paths.map { $0.limits.map { SharedBuckets($0.bucket) } }
  }
}

final class RateLimitPlugin: Plugin {
  private struct Limiter {
    let limit: RateLimit.Limit
    let seed: Int
    var buckets: WorkerBuckets
    /// `RateLimit-Policy` and `X-RateLimit-Limit`.
    let policy: [UInt8]
  }

  private let settings: RateLimit
  private let worker: Worker
  private let state: RateLimitState
  private var limiters: [Limiter]
  private var pathLimiters: [[Limiter]]

  init(_ settings: RateLimit, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    state = site.sharedState { RateLimitState(settings) }
    let count = site.workerCount
    limiters = Self.limiters(settings, settings.limits, state.limits, count)
    pathLimiters = zip(settings.paths, state.paths).map { Self.limiters(settings, $0.limits, $1, count) }
    super.init(.requestHead)
  }

  private static func limiters(
    _ settings: RateLimit, _ limits: [RateLimit.Limit], _ buckets: [SharedBuckets], _ workerCount: Int
  ) -> [Limiter] {
    zip(limits, buckets).map { limit, shared in
      var policy = ""
      if settings.usesStandardFields {
        policy += "RateLimit-Policy: \"default\";q=\(limit.requests);w=\(limit.seconds)\r\n"
      }
      if settings.usesXFields { policy += "X-RateLimit-Limit: \(limit.requests)\r\n" }
      return Limiter(
        limit: limit, seed: shared.seed,
        buckets: WorkerBuckets(shared, limit.bucket, workerCount: workerCount), policy: Array(policy.utf8))
    }
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if !pathLimiters.isEmpty, let index = path(of: exchange) {
      return verdict(exchange, &pathLimiters[index])
    }
    return verdict(exchange, &limiters)
  }

  /// The first, and so the longest, prefix that a request's path has.
  private func path(of exchange: Exchange) -> Int? {
    exchange.withPath { path in
      settings.paths.firstIndex { one in
        guard path.count >= one.prefix.count else { return false }
        for index in one.prefix.indices where path[index] != one.prefix[index] { return false }
        return path.count == one.prefix.count || one.prefix.last == UInt8(ascii: "/")
          || path[one.prefix.count] == UInt8(ascii: "/")
      }
    }
  }

  /// Every limit counts the request until one does not let it pass.
  private func verdict(_ exchange: Exchange, _ limiters: inout [Limiter]) -> PluginVerdict {
    let now = worker.now.nanoseconds
    var tightest = -1
    var remaining = Int.max
    for index in limiters.indices {
      let key = limiters[index].limit.key.hash(of: exchange, seed: limiters[index].seed)
      let result = limiters[index].buckets.take(key, at: now)
      guard result.passes else {
        return .answer(refusal(limiters[index], wait: result.wait))
      }
      if result.remaining < remaining {
        remaining = result.remaining
        tightest = index
      }
    }
    if tightest >= 0, settings.usesStandardFields || settings.usesXFields {
      exchange.editResponseLines { write(limiters[tightest], remaining: remaining, to: &$0) }
    }
    return .next
  }

  private func refusal(_ limiter: Limiter, wait: Int64) -> PluginAnswer {
    let seconds = max(1, Self.seconds(wait))
    var lines: [UInt8] = []
    write(limiter, remaining: 0, reset: seconds, to: &lines)
    lines.append("Retry-After: ", decimal: seconds)
    lines.endLine()
    return PluginAnswer(settings.status, settings.message, lines: lines)
  }

  /// - reset: Seconds until it is worth another request; nil: until the limit is as good as new.
  private func write(_ limiter: Limiter, remaining: Int, reset: Int? = nil, to lines: inout [UInt8]) {
    let reset = reset ?? Self.seconds(limiter.limit.bucket.fillingTime(of: remaining))
    lines += limiter.policy
    if settings.usesStandardFields {
      lines.append("RateLimit: \"default\";r=", decimal: remaining)
      lines.append(";t=", decimal: reset)
      lines.endLine()
    }
    if settings.usesXFields {
      lines.append("X-RateLimit-Remaining: ", decimal: remaining)
      lines.endLine()
      lines.append("X-RateLimit-Reset: ", decimal: reset)
      lines.endLine()
    }
  }

  /// Rounded up.
  private static func seconds(_ nanoseconds: Int64) -> Int {
    Int(nanoseconds / 1_000_000_000) + (nanoseconds % 1_000_000_000 > 0 ? 1 : 0)
  }
}
