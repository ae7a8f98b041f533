/// Writes text into room at a buffer's end; given out by ``Buffer/appendText(atMost:_:)``.
///
/// All of it is inlined into the caller: a log line is some fifty small pieces, and a call with its
/// reference counting for each would cost more than the pieces.
///
/// `@safe`: the pointer is the writer's alone, every write is checked against the room's end, and
/// the writer can be neither copied nor made outside of the call that lends it.
@safe
public struct TextWriter: ~Copyable {
  @usableFromInline let base: UnsafeMutablePointer<UInt8>
  @usableFromInline let capacity: Int
  /// Bytes written.
  @usableFromInline var count = 0

  fileprivate init(_ room: UnsafeMutableRawBufferPointer) {
    // Plain bytes, which need no initialisation; the room is never empty.
    unsafe base = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
    capacity = room.count
  }

  @inlinable @inline(__always)
  public mutating func append(_ byte: UInt8) {
    precondition(count < capacity, "a line is longer than the room made for it")
    // Checked above.
    unsafe base[count] = byte
    count &+= 1
  }

  @inlinable @inline(__always)
  public mutating func append(_ text: StaticString) {
    let length = text.utf8CodeUnitCount
    precondition(length <= capacity &- count, "a line is longer than the room made for it")
    // Checked above; a static string's bytes live for ever.
    unsafe (base + count).update(from: text.utf8Start, count: length)
    count &+= length
  }

  @inlinable @inline(__always)
  public mutating func append(_ bytes: Span<UInt8>) {
    let length = bytes.count
    precondition(length <= capacity &- count, "a line is longer than the room made for it")
    if length == 0 { return }
    // Checked above; the span is valid for the call.
    unsafe bytes.withUnsafeBufferPointer {
      unsafe (base + count).update(from: $0.baseAddress!, count: length)
    }
    count &+= length
  }

  /// Appends a number without leading zeros.
  @inlinable
  public mutating func append(decimal value: UInt64) {
    var digits = 1
    var power: UInt64 = 10
    while value >= power {
      digits &+= 1
      if digits == 20 { break }
      power &*= 10
    }
    precondition(digits <= capacity &- count, "a line is longer than the room made for it")
    var rest = value
    var position = count &+ digits
    while position > count {
      position &-= 1
      // count <= position < count + digits <= capacity.
      unsafe base[position] = 48 &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count &+= digits
  }

  /// A point and the three digits of a number below 1,000.
  @inlinable @inline(__always)
  public mutating func append(thousandths value: Int64) {
    let value = UInt32(truncatingIfNeeded: value)
    append(UInt8(ascii: "."))
    append(48 &+ UInt8(truncatingIfNeeded: value / 100 % 10))
    append(48 &+ UInt8(truncatingIfNeeded: value / 10 % 10))
    append(48 &+ UInt8(truncatingIfNeeded: value % 10))
  }

  /// Exactly `digits` lower-case hexadecimal digits.
  @inlinable
  public mutating func append(hexadecimal value: UInt64, digits: Int) {
    var shift = digits &* 4
    while shift > 0 {
      shift &-= 4
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift) & 15)
      append(digit < 10 ? 48 &+ digit : 87 &+ digit)
    }
  }
}

extension Buffer {
  /// Appends what `body` writes. The buffer grows where it has no room for `limit` bytes; to write
  /// more than these ends the process.
  public func appendText(atMost limit: Int, _ body: (inout TextWriter) -> Void) {
    reserve(limit)
    // The writer does not leave the call, and stays within the room.
    var writer = unsafe TextWriter(takeRoom(atMost: limit))
    body(&writer)
    keep(writer.count)
  }
}
