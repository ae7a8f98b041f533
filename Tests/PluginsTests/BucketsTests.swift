import Runtime
import Testing

@testable import Plugins

@Suite("Buckets of rate limits")
struct BucketsTests {
  private static let second: Int64 = 1_000_000_000
  /// Some time after the machine's start.
  private static let start: Int64 = 500 * second

  private static func shape(_ requests: Int, per period: Duration = .seconds(1), burst: Int? = nil)
    -> BucketShape
  {
    BucketShape(requests: requests, period: period, burst: burst ?? requests)
  }

  @Test("a bucket holds its burst, and then fills one by one")
  func fills() {
    let shape = Self.shape(10, burst: 3)
    let shared = SharedBuckets(shape)
    var buckets = WorkerBuckets(shared, shape, workerCount: 1)
    let passed = (0..<5).map { _ in buckets.take(1, at: Self.start).passes }
    #expect(passed == [true, true, true, false, false])
    let refused = buckets.take(1, at: Self.start)
    #expect(refused.wait == Self.second / 10)
    #expect(!buckets.take(1, at: Self.start + Self.second / 10 - 1).passes)
    #expect(buckets.take(1, at: Self.start + Self.second / 10).passes)
    #expect(!buckets.take(1, at: Self.start + Self.second / 10).passes)
    // Full again, and not fuller, after a long time.
    let later = (0..<5).map { _ in buckets.take(1, at: Self.start + 100 * Self.second).passes }
    #expect(later == [true, true, true, false, false])
  }

  @Test("keys have buckets of their own")
  func keys() {
    let shape = Self.shape(1)
    var buckets = WorkerBuckets(SharedBuckets(shape), shape, workerCount: 1)
    for key in [1, 2, -3, .min, .max] {
      #expect(buckets.take(key, at: Self.start).passes)
      #expect(!buckets.take(key, at: Self.start).passes)
    }
  }

  @Test("workers together let pass what the limit says, within what they hold", arguments: [2, 4, 8])
  func workersTogether(workers: Int) {
    let shape = Self.shape(1_000, burst: 50)
    let shared = SharedBuckets(shape)
    var buckets = (0..<workers).map { _ in WorkerBuckets(shared, shape, workerCount: workers) }
    var passed = 0
    var random = SplitMix64(seed: UInt64(workers))
    // Three times the limit, for ten seconds; sometimes most of it comes to one worker.
    for request in 0..<30_000 {
      let now = Self.start + Int64(request) * Self.second / 3_000
      let worker =
        request / 5_000 % 2 == 0
        ? random.next(below: workers) : min(random.next(below: workers * 8), workers - 1)
      if buckets[worker].take(7, at: now).passes { passed += 1 }
    }
    #expect(passed <= 10_050)
    #expect(passed >= 9_900)
  }

  @Test("what a worker does not use goes back")
  func givesBack() {
    let shape = Self.shape(1_000, burst: 800)
    let shared = SharedBuckets(shape)
    var busy = WorkerBuckets(shared, shape, workerCount: 2)
    // It takes more and more at once.
    for request in 0..<100 { _ = busy.take(1, at: Self.start + Int64(request) * 1_000) }
    // Two seconds later the bucket is full again, and all of it can be had by another.
    let now = Self.start + 2 * Self.second
    #expect(busy.take(1, at: now).passes)
    var other = WorkerBuckets(shared, shape, workerCount: 2)
    let passed = (0..<900).count { _ in other.take(1, at: now).passes }
    #expect(passed >= 798 && passed <= 799)
  }

  @Test("the largest and the smallest limits do not overflow")
  func extremes() {
    for shape in [
      Self.shape(1_000_000_000, per: .milliseconds(100), burst: 1_000_000_000),
      Self.shape(1, per: .seconds(31 * 86_400), burst: 1_000_000_000),
      Self.shape(1, per: .seconds(31 * 86_400)),
    ] {
      var buckets = WorkerBuckets(SharedBuckets(shape), shape, workerCount: 1)
      #expect(buckets.take(1, at: Self.start).passes)
      #expect(buckets.take(1, at: .max / 2).passes)
    }
  }

  @Test("many keys are forgotten in time")
  func manyKeys() {
    let shape = Self.shape(1)
    let shared = SharedBuckets(shape)
    var buckets = WorkerBuckets(shared, shape, workerCount: 1)
    for key in 0..<200_000 { #expect(buckets.take(key, at: Self.start + Int64(key) * 100_000).passes) }
  }
}
