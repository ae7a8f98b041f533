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
  /// In front of the buckets, so that it shares a line of the cache with those of short durations.
  public private(set) var sumNanoseconds: UInt64 = 0
  /// Durations per bucket, each without those of the smaller ones.
  public private(set) var counts = InlineArray<15, UInt64>(repeating: 0)

  public init() {}

  /// The upper bound of bucket `index` (0 to 13), which belongs to it, in nanoseconds.
  public static func bound(_ index: Int) -> Int64 { bucketBounds[index] }

  public var count: UInt64 {
    var sum: UInt64 = 0
    for index in counts.indices { sum &+= counts[index] }
    return sum
  }

  /// Counts a duration; a negative one, of a clock's mistake, counts as zero.
  @inline(__always)
  public mutating func record(nanoseconds: Int64) {
    let duration = max(0, nanoseconds)
    // No two bounds have the same number of bits: one comparison decides.
    var bucket = Int(firstBuckets[64 &- duration.leadingZeroBitCount])
    if bucket < Self.boundCount, duration > bucketBounds[bucket] { bucket &+= 1 }
    counts[bucket] &+= 1
    sumNanoseconds &+= UInt64(duration)
  }

  public mutating func add(_ other: Histogram) {
    for index in counts.indices { counts[index] &+= other.counts[index] }
    sumNanoseconds &+= other.sumNanoseconds
  }
}
