import Runtime
import Synchronization

/// How fast a bucket fills, and how much it holds. Times are nanoseconds.
struct BucketShape: Sendable, Equatable {
  /// For one request.
  let interval: Int64
  /// For as many as may come at once.
  let tolerance: Int64
  let burst: Int

  init(requests: Int, period: Duration, burst: Int) {
    interval = max(1, period.inNanoseconds / Int64(requests))
    let (product, overflow) = interval.multipliedReportingOverflow(by: Int64(burst))
    tolerance = overflow ? .max / 4 : min(product, .max / 4)
    self.burst = burst
  }

  /// Until a bucket is full that has room for so many requests.
  func fillingTime(of remaining: Int) -> Int64 {
    let (product, overflow) = interval.multipliedReportingOverflow(by: Int64(max(0, burst - remaining)))
    return overflow ? tolerance : min(product, tolerance)
  }
}

/// The buckets that all workers take from, by key.
///
/// A bucket is one number: the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371;
/// as in Redis-cell and Envoy's). Workers take several requests' worth at a time, so that the lock is not taken for
/// each request.
final class SharedBuckets: Sendable {
  private struct Buckets {
    var fullAt = HashedTable(empty: Int64(0))
    /// When there are more, those that are full are forgotten: they are as good as new.
    var sweepAt = 1_024
  }

  private final class Shard: Sendable {
    let buckets = Mutex(Buckets())
  }

  private static let shardCount = 64
  /// Of a shard; 32 bytes each. When more keys than these are not full, some of them begin anew.
  private static let bucketsMax = 32_768

  private let shards: [Shard]
  let seed = Int.random(in: .min ... .max)
  private let shape: BucketShape

  init(_ shape: BucketShape) {
    self.shape = shape
    shards = (0..<Self.shardCount).map { _ in Shard() }
  }

  struct Grant {
    /// Requests that may pass, 0 to what was asked for.
    var count: Int
    /// Further ones that might.
    var remaining: Int
    /// Where none may pass: when the next may.
    var nextAt: Int64
  }

  /// Takes up to `count` requests' worth out of a bucket, after giving back `unused`.
  func take(_ count: Int, giving unused: Int, from key: Int, at now: Int64) -> Grant {
    shards[key & (Self.shardCount - 1)].buckets.withLock { shard in
      let slot = shard.fullAt.slot(of: key, orInsert: now)
      let fullAt = max(shard.fullAt[slot] - Int64(unused) * shape.interval, now)
      let room = shape.tolerance - (fullAt - now)
      let available = room < shape.interval ? 0 : Int(room / shape.interval)
      let granted = min(count, available)
      let newFullAt = fullAt + Int64(granted) * shape.interval
      shard.fullAt[slot] = newFullAt
      if shard.fullAt.count > shard.sweepAt { Self.sweep(&shard, now) }
      return Grant(
        count: granted, remaining: available - granted,
        nextAt: granted > 0 ? now : newFullAt + shape.interval - shape.tolerance)
    }
  }

  private static func sweep(_ shard: inout Buckets, _ now: Int64) {
    shard.fullAt.keep { $0 > now }
    if shard.fullAt.count > bucketsMax { shard.fullAt.removeAll() }
    shard.sweepAt = max(1_024, shard.fullAt.count * 2)
  }
}

/// A worker's share of the buckets: what it has taken and not used yet.
struct WorkerBuckets {
  private struct Share {
    var left = 0
    /// What was taken the last time, and when.
    var taken = 0
    var takenAt: Int64 = 0
    /// Nothing passes before.
    var refusedUntil: Int64 = 0
    /// As of the last time.
    var remaining = 0

    /// Nil where there is nothing left of what was taken.
    mutating func use(at now: Int64) -> Result? {
      if left > 0, now - takenAt < keepFor {
        left -= 1
        return Result(passes: true, remaining: remaining + left, wait: 0)
      }
      return now < refusedUntil ? Result(passes: false, remaining: 0, wait: refusedUntil - now) : nil
    }
  }

  struct Result {
    var passes: Bool
    var remaining: Int
    /// Nanoseconds until one passes again; 0 where it does.
    var wait: Int64
  }

  /// What a worker uses in this time is what it takes at once: locks are taken a hundred times a second at most
  /// for each key.
  private static let takeEvery: Int64 = 10_000_000
  /// What was not used after so long goes back.
  private static let keepFor: Int64 = 1_000_000_000
  private static let sharesMax = 65_536

  private let shared: SharedBuckets
  private let shape: BucketShape
  private let takenMax: Int
  private var shares = HashedTable(empty: Share())
  private var sweepAt = 1_024

  init(_ shared: SharedBuckets, _ shape: BucketShape, workerCount: Int) {
    self.shared = shared
    self.shape = shape
    takenMax = max(1, shape.burst / (8 * workerCount))
  }

  mutating func take(_ key: Int, at now: Int64) -> Result {
    // Changed in place: looking a key up twice would be most of the work.
    let slot = shares.slot(of: key, orInsert: Share())
    if let result = shares[slot].use(at: now) { return result }
    var share = shares[slot]
    let wanted = min(Self.demand(share.taken, after: now - share.takenAt), takenMax)
    let grant = shared.take(wanted, giving: share.left, from: key, at: now)
    share.remaining = grant.remaining
    share.left = max(0, grant.count - 1)
    share.taken = max(1, grant.count)
    share.takenAt = now
    share.refusedUntil = grant.count > 0 ? 0 : grant.nextAt
    shares[slot] = share
    if shares.count > sweepAt { sweep(now) }
    return Result(
      passes: grant.count > 0, remaining: share.remaining + share.left,
      wait: grant.count > 0 ? 0 : max(1, grant.nextAt - now))
  }

  /// What to take at once, from what was taken the last time and how long it has lasted.
  private static func demand(_ taken: Int, after time: Int64) -> Int {
    if taken == 0 || time >= keepFor { return 1 }
    return time < takeEvery ? taken * 2 : max(1, taken / 2)
  }

  /// Forgets those that have nothing left to use.
  private mutating func sweep(_ now: Int64) {
    shares.keep { now - $0.takenAt < Self.keepFor || now < $0.refusedUntil }
    if shares.count > Self.sharesMax { shares.removeAll() }
    sweepAt = max(1_024, shares.count * 2)
  }
}
