/// A run of bytes inside the buffer that a message head was parsed from.
///
/// Heads hold ranges, not copies: parsing a head allocates nothing.
public struct ByteRange: Equatable, Sendable {
  public var start: UInt32
  public var count: UInt32

  @inlinable
  public init(start: Int, count: Int) {
    self.start = UInt32(truncatingIfNeeded: start)
    self.count = UInt32(truncatingIfNeeded: count)
  }

  /// A range of no bytes.
  public static let empty = ByteRange(start: 0, count: 0)

  @inlinable public var isEmpty: Bool { count == 0 }
  @inlinable public var end: Int { Int(start) + Int(count) }
  @inlinable public var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}
