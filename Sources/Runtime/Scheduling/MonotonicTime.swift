/// A point on the worker's clock: nanoseconds since an arbitrary start, never going back.
public struct MonotonicTime: Comparable, Hashable, Sendable {
  public var nanoseconds: Int64

  @inlinable
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Later than any time that comes: no deadline.
  public static let never = MonotonicTime(nanoseconds: .max)

  @inlinable
  public static func < (a: MonotonicTime, b: MonotonicTime) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Later by a number of nanoseconds; stays ``never`` where it would overflow.
  @inlinable
  public func advanced(byNanoseconds nanoseconds: Int64) -> MonotonicTime {
    let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
    return overflow ? .never : MonotonicTime(nanoseconds: sum)
  }

  /// Nanoseconds from `earlier` to this time.
  @inlinable
  public func nanoseconds(since earlier: MonotonicTime) -> Int64 { nanoseconds &- earlier.nanoseconds }
}

extension Duration {
  /// The duration in nanoseconds, at most what an `Int64` holds (292 years).
  @inlinable
  public var inNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : product + attoseconds / 1_000_000_000
  }
}
