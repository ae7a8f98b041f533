import DataPlane
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
  private let settings: RateLimit
  private let usesStandardFields: Bool
  private let usesXFields: Bool
  private let state: RateLimitState
  private let limiters: [RateLimiter]
  private let pathLimiters: [[RateLimiter]]
  private let unavailable = PluginAnswer(
    503, "Requests cannot be counted for the moment.", lines: FieldLines.line("Retry-After", "1"))

  init(_ settings: RateLimit, _ site: PluginSite) {
    self.settings = settings
    usesStandardFields = settings.usesStandardFields
    usesXFields = settings.usesXFields
    state = site.sharedState { RateLimitState(settings) }
    let client = settings.redis.map { RedisClient.of(site, $0, script: BucketScript.script) }
    limiters = zip(settings.limits, state.limits).map { RateLimiter($0, $1, "", settings, site, client) }
    pathLimiters = zip(settings.paths, state.paths).map { path, buckets in
      let place = String(decoding: path.prefix, as: UTF8.self)
      return zip(path.limits, buckets).map { RateLimiter($0, $1, place, settings, site, client) }
    }
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if !pathLimiters.isEmpty, let index = path(of: exchange) {
      return begin(exchange, pathLimiters[index])
    }
    return begin(exchange, limiters)
  }

  private func begin(_ exchange: Exchange, _ limiters: [RateLimiter]) -> PluginVerdict {
    var way = Way()
    let verdict = goOn(exchange, limiters, &way)
    if case .wait = verdict { exchange.keep(WaitingWay(way, limiters), for: self) }
    return verdict
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    guard let waiting = exchange.kept(for: self) as? WaitingWay else {
      throw PluginFailure("what a request waits for is lost")
    }
    while true {
      let limiter = waiting.limiters[waiting.way.next]
      let step = await limiter.waitForRedis(exchange)
      if let verdict = take(step, limiter, exchange, &waiting.way) { return verdict }
      let verdict = goOn(exchange, waiting.limiters, &waiting.way)
      if case .wait = verdict { continue }
      return verdict
    }
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

  /// How far a request has got through its limits.
  private struct Way {
    var next = 0
    /// The one with the fewest left, by index; -1: none has let it pass yet.
    var tightest = -1
    var remaining = Int.max
  }

  private final class WaitingWay {
    var way: Way
    let limiters: [RateLimiter]

    init(_ way: Way, _ limiters: [RateLimiter]) {
      self.way = way
      self.limiters = limiters
    }
  }

  /// Every limit counts the request until one does not let it pass.
  private func goOn(_ exchange: Exchange, _ limiters: [RateLimiter], _ way: inout Way) -> PluginVerdict {
    while way.next < limiters.count {
      let limiter = limiters[way.next]
      let step = limiter.take(exchange)
      if case .mustAsk = step { return .wait }
      if let verdict = take(step, limiter, exchange, &way) { return verdict }
    }
    if way.tightest >= 0 {
      write(limiters[way.tightest], remaining: way.remaining, to: exchange.addedResponseLines)
    }
    return .next
  }

  /// - Returns: nil where the limit lets the request pass.
  private func take(
    _ step: LeasedBuckets.Step, _ limiter: RateLimiter, _ exchange: Exchange, _ way: inout Way
  ) -> PluginVerdict? {
    way.next += 1
    let result: WorkerBuckets.Result
    switch step {
    case .decided(let decided): result = decided
    case .mustAsk: return .wait
    case .gone(let failure):
      if exchange.hasLostClient { return .next }
      exchange.note(failure)
      switch settings.whenRedisIsGone {
      case .allow: return nil
      case .refuse: return .answer(unavailable)
      case .local: result = limiter.takeLocally(exchange)
      }
    }
    guard result.passes else { return .answer(refusal(limiter, wait: result.wait)) }
    if result.remaining < way.remaining {
      way.remaining = result.remaining
      way.tightest = way.next - 1
    }
    return nil
  }

  private func refusal(_ limiter: RateLimiter, wait: Int64) -> PluginAnswer {
    let seconds = max(1, Self.seconds(wait))
    let lines = Buffer(capacity: 256)
    write(limiter, remaining: 0, reset: seconds, to: lines)
    lines.append("Retry-After: ")
    lines.append(decimal: UInt64(seconds))
    lines.append("\r\n")
    return PluginAnswer(settings.status, settings.message, lines: lines.copy(0..<lines.count))
  }

  /// - reset: Seconds until it is worth another request; nil: until the limit is as good as new.
  private func write(_ limiter: RateLimiter, remaining: Int, reset: Int? = nil, to lines: Buffer) {
    guard usesStandardFields || usesXFields else { return }
    let remaining = UInt64(max(0, remaining))
    let reset = UInt64(max(0, reset ?? Self.seconds(limiter.fillingTime(of: Int(remaining)))))
    lines.append(limiter.linesUpToRemaining)
    lines.append(decimal: remaining)
    if usesStandardFields {
      lines.append(";t=")
      lines.append(decimal: reset)
      if usesXFields {
        lines.append("\r\nX-RateLimit-Remaining: ")
        lines.append(decimal: remaining)
      }
    }
    if usesXFields {
      lines.append("\r\nX-RateLimit-Reset: ")
      lines.append(decimal: reset)
    }
    lines.append("\r\n")
  }

  /// Rounded up.
  private static func seconds(_ nanoseconds: Int64) -> Int {
    Int(nanoseconds / 1_000_000_000) + (nanoseconds % 1_000_000_000 > 0 ? 1 : 0)
  }
}
