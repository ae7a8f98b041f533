/// Durations counted into fixed buckets, as Prometheus wants them.
public struct Histogram: Sendable {
  /// Bounded buckets; one more has no bound.
  public static let boundCount = 14
  /// Durations per bucket, each without those of the smaller ones.
  public private(set) var counts = InlineArray<15, UInt64>(repeating: 0)
  public private(set) var sumNanoseconds: UInt64 = 0

  public init() {}

  /// Upper bounds of the buckets in microseconds, 0.5 ms to 10 s; the last two lanes are never reached.
  @inline(__always)
  private static var boundMicroseconds: SIMD16<Int32> {
    [
      500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
      5_000_000, 10_000_000, .max, .max,
    ]
  }

  /// The upper bound of bucket `index` (0 to 13), which belongs to it, in nanoseconds.
  public static func bound(_ index: Int) -> Int64 { Int64(boundMicroseconds[index]) * 1_000 }

  public var count: UInt64 {
    var sum: UInt64 = 0
    for index in counts.indices { sum &+= counts[index] }
    return sum
  }

  /// Counts a duration; a negative one, of a clock's mistake, counts as zero.
  @inline(__always)
  public mutating func record(nanoseconds: Int64) {
    let duration = max(0, nanoseconds)
    // Rounded up: more than a bound by a nanosecond is more than the bound.
    let microseconds = Int32(truncatingIfNeeded: min(duration, 2_000_000_000_000) / 1_000)
      &+ (duration % 1_000 > 0 ? 1 : 0)
    // All bounds are compared at once, without a branch to mispredict: the cheapest search.
    let isAbove = SIMD16<Int32>(repeating: microseconds) .> Self.boundMicroseconds
    let bucket = SIMD16<Int32>.zero.replacing(with: .one, where: isAbove).wrappedSum()
    counts[Int(bucket)] &+= 1
    sumNanoseconds &+= UInt64(duration)
  }

  public mutating func add(_ other: Histogram) {
    for index in counts.indices { counts[index] &+= other.counts[index] }
    sumNanoseconds &+= other.sumNanoseconds
  }
}
