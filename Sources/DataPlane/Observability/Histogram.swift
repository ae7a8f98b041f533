/// Upper bounds of a histogram's buckets, in nanoseconds: 0.5 ms to 10 s.
private let bucketBounds: InlineArray<14, Int64> = [
  500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
  250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
]

/// For each number of bits of a duration, how many bounds have fewer.
private let firstBuckets: InlineArray<65, UInt8> = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12, 13, 14, 14, 14, 14, 14,
  14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
  14, 14, 14, 14, 14,
]

/// Durations counted into fixed buckets, as Prometheus wants them.
public struct Histogram: Sendable {
  /// Bounded buckets; one more has no bound.
  public static let boundCount = 14
  public private(set) var sumNanoseconds: UInt64 = 0
  /// Durations per bucket, each without those of the smaller ones.
  public private(set) var counts = InlineArray<15, UInt64>(repeating: 0)

  public init() {}

  fileprivate init(sumNanoseconds: UInt64, count: (Int) -> UInt64) {
    self.sumNanoseconds = sumNanoseconds
    for index in counts.indices { counts[index] = count(index) }
  }

  /// The upper bound of bucket `index` (0 to 13), which belongs to it, in nanoseconds.
  public static func bound(_ index: Int) -> Int64 { bucketBounds[index] }

  public var count: UInt64 {
    var sum: UInt64 = 0
    for index in counts.indices { sum &+= counts[index] }
    return sum
  }

  /// The bucket of a duration, which is not negative.
  @inline(__always)
  fileprivate static func bucket(of duration: Int64) -> Int {
    // No two bounds have the same number of bits: one comparison decides.
    let bucket = Int(firstBuckets[64 &- duration.leadingZeroBitCount])
    return bucket < boundCount && duration > bucketBounds[bucket] ? bucket &+ 1 : bucket
  }
}

/// Two histograms whose buckets stand side by side, so that what two short durations change shares a line of the
/// cache.
struct HistogramPair {
  private var firstSum: UInt64 = 0
  private var secondSum: UInt64 = 0
  private var counts = InlineArray<15, (first: UInt64, second: UInt64)>(repeating: (0, 0))

  var first: Histogram { Histogram(sumNanoseconds: firstSum) { counts[$0].first } }
  var second: Histogram { Histogram(sumNanoseconds: secondSum) { counts[$0].second } }

  /// Counts a duration; a negative one, of a clock's mistake, counts as zero.
  @inline(__always)
  mutating func recordFirst(nanoseconds: Int64) {
    let duration = max(0, nanoseconds)
    counts[Histogram.bucket(of: duration)].first &+= 1
    firstSum &+= UInt64(duration)
  }

  /// The same for the second histogram.
  @inline(__always)
  mutating func recordSecond(nanoseconds: Int64) {
    let duration = max(0, nanoseconds)
    counts[Histogram.bucket(of: duration)].second &+= 1
    secondSum &+= UInt64(duration)
  }

  mutating func add(_ other: HistogramPair) {
    firstSum &+= other.firstSum
    secondSum &+= other.secondSum
    for index in counts.indices {
      counts[index].first &+= other.counts[index].first
      counts[index].second &+= other.counts[index].second
    }
  }
}
