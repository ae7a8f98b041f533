/// Bytes received or to be sent: a run of them within a block of memory that is reused.
///
/// Used on one worker's thread. Grows when what is appended does not fit; see ``BufferPool``.
///
/// `@safe`: every pointer stays inside this file and ``Socket``, and every index is checked
/// against the block's capacity.
@safe
public final class Buffer {
  private var base: UnsafeMutablePointer<UInt8>
  public private(set) var capacity: Int
  private var start = 0
  private var end = 0

  public init(capacity: Int) {
    self.capacity = capacity
    unsafe base = .allocate(capacity: capacity)
  }

  deinit { unsafe base.deallocate() }

  public var count: Int { end - start }
  public var isEmpty: Bool { start == end }
  /// Bytes that can be received or appended without growing.
  public var room: Int { capacity - end }

  /// The bytes that the buffer holds.
  public var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // start and end are within the block, which lives as long as self.
      let span = unsafe Span<UInt8>(_unsafeStart: base + start, count: end - start)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// Removes the first `count` bytes.
  public func consume(_ count: Int) {
    precondition(count >= 0 && count <= end - start)
    start += count
    if start == end {
      start = 0
      end = 0
    }
  }

  /// Keeps only the first `count` bytes.
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= end - start)
    end = start + count
    if count == 0 {
      start = 0
      end = 0
    }
  }

  /// Removes bytes `range`, counted from the first; those behind move up.
  public func removeBytes(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= end - start)
    if range.isEmpty { return }
    let first = start + range.lowerBound
    // Both runs are within the block; memmove semantics allow the overlap.
    unsafe (base + first).update(from: base + start + range.upperBound, count: end - start - range.upperBound)
    end -= range.count
  }

  public func removeAll() {
    start = 0
    end = 0
  }

  /// Makes room for `count` more bytes: moves the bytes to the block's front, or grows it.
  @inline(__always)
  public func reserve(_ count: Int) {
    if capacity - end < count { makeRoom(count) }
  }

  @inline(never)
  private func makeRoom(_ count: Int) {
    let held = end - start
    if capacity - held >= count {
      // Both ends are within the block; memmove semantics allow the overlap.
      unsafe base.update(from: base + start, count: held)
    } else {
      let grown = max(capacity * 2, held + count)
      let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: grown)
      // The new block holds at least `held` bytes.
      unsafe memory.initialize(from: base + start, count: held)
      unsafe base.deallocate()
      unsafe base = memory
      capacity = grown
    }
    start = 0
    end = held
  }

  /// Empties the buffer, and gives back what it grew beyond `size`.
  public func reset(to size: Int) {
    removeAll()
    guard capacity > size else { return }
    unsafe base.deallocate()
    unsafe base = .allocate(capacity: size)
    capacity = size
  }

  // MARK: Appending

  @inline(__always)
  public func append(_ byte: UInt8) {
    if end == capacity { reserve(1) }
    // end < capacity after reserve.
    unsafe base[end] = byte
    end += 1
  }

  public func append(_ bytes: Span<UInt8>) {
    let count = bytes.count
    if count == 0 { return }
    reserve(count)
    // reserve made room for count bytes; the span is valid for the call.
    unsafe bytes.withUnsafeBufferPointer {
      unsafe (base + end).update(from: $0.baseAddress!, count: count)
    }
    end += count
  }

  /// Appends bytes `range` of another buffer, counted from its first byte.
  public func append(_ other: Buffer, range: Range<Int>) {
    append(other.bytes.extracting(range))
  }

  public func append(_ text: StaticString) {
    let count = text.utf8CodeUnitCount
    reserve(count)
    // A static string's bytes live for ever; reserve made room for them.
    unsafe (base + end).update(from: text.utf8Start, count: count)
    end += count
  }

  public func append(_ bytes: [UInt8]) { append(bytes.span) }

  /// Appends all bytes of another buffer.
  public func append(_ other: Buffer) { append(other.bytes) }

  /// Overwrites bytes that it holds; `position` counts from the first.
  public func replaceBytes(at position: Int, with bytes: Span<UInt8>) {
    precondition(position >= 0 && bytes.count <= count - position)
    for index in bytes.indices {
      // start + position + index < end.
      unsafe base[start + position + index] = bytes[index]
    }
  }

  /// Bytes `range`, counted from the first, as an array.
  public func copy(_ range: Range<Int>) -> [UInt8] {
    let bytes = bytes.extracting(range)
    var copy = [UInt8]()
    copy.reserveCapacity(bytes.count)
    for index in bytes.indices { copy.append(bytes[index]) }
    return copy
  }

  /// A label of its own, or literals would be strings rather than static ones.
  public func append(string text: String) { append(text.utf8.span) }

  public func append(decimal value: UInt64) {
    var count = 1
    var power: UInt64 = 10
    while value >= power {
      count += 1
      if count == Self.decimalDigitsMax { break }
      power *= 10
    }
    reserve(count)
    var rest = value
    var index = end + count
    while index > end {
      index -= 1
      // end <= index < end + count, which reserve made room for.
      unsafe base[index] = 48 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    end += count
  }

  /// Of 2⁶⁴ - 1.
  private static let decimalDigitsMax = 20

  /// The last `digits` lower-case hexadecimal digits of a number, at most eight.
  public func append(hexadecimal value: UInt32, digits: Int) {
    precondition(0...8 ~= digits)
    reserve(8)
    let word = Self.hexadecimalDigits(of: value << UInt32(4 * (8 - digits)))
    // reserve made room for eight; those behind the digits are not kept.
    unsafe UnsafeMutableRawPointer(base + end).storeBytes(of: word, as: UInt64.self)
    end += digits
  }

  /// Lower-case hexadecimal without leading zeros.
  public func append(hexadecimal value: UInt64) {
    var shift = value == 0 ? 0 : (63 - value.leadingZeroBitCount) / 4 * 4
    while shift >= 0 {
      append(Self.hexDigit(UInt8(truncatingIfNeeded: value >> UInt64(shift) & 15)))
      shift -= 4
    }
  }

  /// All sixteen lower-case hexadecimal digits of a word.
  public func append(sixteenHexadecimalDigitsOf value: UInt64) {
    reserve(16)
    let high = Self.hexadecimalDigits(of: UInt32(truncatingIfNeeded: value >> 32))
    let low = Self.hexadecimalDigits(of: UInt32(truncatingIfNeeded: value))
    // reserve made room for both.
    unsafe UnsafeMutableRawPointer(base + end).storeBytes(of: high, as: UInt64.self)
    unsafe UnsafeMutableRawPointer(base + end + 8).storeBytes(of: low, as: UInt64.self)
    end += 16
  }

  /// Eight digits at once: the nibbles are spread over the bytes of a word, the first digit in the
  /// byte that is stored first, and made into ASCII together.
  private static func hexadecimalDigits(of value: UInt32) -> UInt64 {
    var word = UInt64(value)
    word = (word & 0xFFFF_0000) << 16 | (word & 0xFFFF)
    word = (word << 8 & 0x00FF_0000_00FF_0000) | (word & 0x0000_00FF_0000_00FF)
    word = (word << 4 & 0x0F00_0F00_0F00_0F00) | (word & 0x000F_000F_000F_000F)
    let letters = (word &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return (word &+ 0x3030_3030_3030_3030 &+ letters &* 39).bigEndian
  }

  /// `10.0.0.1` or `::1`, without a port.
  public func append(hostOf address: SocketAddress) { address.appendHost { append($0) } }

  private static func hexDigit(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 87 + digit }

  // MARK: For sockets and files

  /// The room behind the bytes, at most `limit` of it and at least one byte. Valid until the buffer
  /// is used again; what was written is kept with ``keep(_:)``.
  @unsafe
  func takeRoom(atMost limit: Int) -> UnsafeMutableRawBufferPointer {
    // Moves the bytes to the front where that makes room; grows where they fill the block.
    if end == capacity { reserve(max(start, capacity / 2)) }
    // end + count <= capacity.
    return unsafe UnsafeMutableRawBufferPointer(start: base + end, count: min(limit, capacity - end))
  }

  /// Keeps bytes that were written into the room.
  func keep(_ count: Int) {
    precondition(count >= 0 && count <= capacity - end)
    end += count
  }

  /// Calls `body` with the bytes; the pointer is valid during the call only.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    // start...end is within the block.
    unsafe body(UnsafeRawBufferPointer(start: base + start, count: end - start))
  }
}
