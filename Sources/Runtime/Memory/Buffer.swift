/// Bytes received or to be sent: a run of them within a block of memory that is reused.
///
/// Used on one worker's thread. Grows when what is appended does not fit; see ``BufferPool``.
///
/// `@safe`: every pointer stays inside this file, ``Socket`` and ``ProcessMemory``, and every index is checked
/// against the block's capacity. What is inlinable is what heads are written with: literals become a few stores.
@safe
public final class Buffer {
  @usableFromInline var base: UnsafeMutablePointer<UInt8>
  public internal(set) var capacity: Int
  private var start = 0
  @usableFromInline var end = 0
  /// How much of the block's front has held bytes before those that it holds now.
  private var touched = 0

  public init(capacity: Int) {
    self.capacity = capacity
    unsafe base = .allocate(capacity: capacity)
  }

  deinit { unsafe base.deallocate() }

  public var count: Int { end - start }
  public var isEmpty: Bool { start == end }
  /// How much of its memory holds bytes or has held some: what was taken of it stays in memory.
  public var reach: Int { max(touched, end) }
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
    if start == end { removeAll() }
  }

  /// Keeps only the first `count` bytes.
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= end - start)
    touched = reach
    end = start + count
    if count == 0 { removeAll() }
  }

  /// Removes bytes `range`, counted from the first; those behind move up.
  public func removeBytes(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= end - start)
    if range.isEmpty { return }
    let first = start + range.lowerBound
    // Both runs are within the block; memmove semantics allow the overlap.
    unsafe (base + first).update(from: base + start + range.upperBound, count: end - start - range.upperBound)
    touched = reach
    end -= range.count
  }

  public func removeAll() {
    touched = reach
    start = 0
    end = 0
  }

  /// Makes room for `count` more bytes: moves the bytes to the block's front, or grows it.
  @inlinable @inline(__always)
  public func reserve(_ count: Int) {
    if capacity - end < count { makeRoom(count) }
  }

  @inline(never) @usableFromInline
  func makeRoom(_ count: Int) {
    let held = end - start
    if capacity - held >= count {
      // Both ends are within the block; memmove semantics allow the overlap.
      unsafe base.update(from: base + start, count: held)
      touched = reach
    } else {
      let grown = max(capacity * 2, held + count)
      let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: grown)
      // The new block holds at least `held` bytes.
      unsafe memory.initialize(from: base + start, count: held)
      unsafe base.deallocate()
      unsafe base = memory
      capacity = grown
      touched = 0
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
    touched = 0
  }

  /// Gives pages back that held `count` bytes or more which were taken, having moved the others to the front where
  /// there is much before them. They are there again when they are written to: unlike a smaller block, this leaves no
  /// hole in the heap that stays resident.
  /// - Returns: whether there was something to give back.
  public func giveBackTaken(atLeast count: Int) -> Bool {
    let (held, used) = (end - start, reach)
    guard used > held, used - held >= count else { return false }
    // Each byte is moved four times at most, however slowly the others are taken.
    if start >= held / 4 {
      // Both ends are within the block; memmove semantics allow the overlap.
      unsafe base.update(from: base + start, count: held)
      start = 0
      end = held
    }
    // Within the block, and nothing in it is read before it is written.
    unsafe ProcessMemory.giveBackPages(base + end, used - end)
    touched = end
    return true
  }

  // MARK: Appending

  @inlinable @inline(__always)
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

  @inlinable @inline(__always)
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
    if value < 10 { return append(UInt8(truncatingIfNeeded: value) | 0x30) }
    if value >= Digits.decimalWordLimit {
      append(decimal: value / Digits.decimalWordLimit)
      reserve(8)
      store(Digits.text(of: Digits.decimal(of: value % Digits.decimalWordLimit)), at: 0)
      end &+= 8
      return
    }
    let digits = Digits.decimal(of: value)
    let zeros = digits.trailingZeroBitCount &>> 3
    reserve(8)
    store(Digits.text(of: digits) &>> UInt64(truncatingIfNeeded: zeros &<< 3), at: 0)
    end &+= 8 &- zeros
  }

  /// The last `digits` lower-case hexadecimal digits of a number, at most eight.
  public func append(hexadecimal value: UInt32, digits: Int) {
    precondition(0...8 ~= digits)
    reserve(8)
    // Those behind the digits are not kept.
    store(Digits.hexadecimal(of: value << UInt32(4 * (8 - digits))), at: 0)
    end += digits
  }

  /// Lower-case hexadecimal without leading zeros.
  public func append(hexadecimal value: UInt64) {
    let digits = max(1, (67 - value.leadingZeroBitCount) / 4)
    if digits > 8 { append(hexadecimal: UInt32(truncatingIfNeeded: value >> 32), digits: digits - 8) }
    append(hexadecimal: UInt32(truncatingIfNeeded: value), digits: min(digits, 8))
  }

  /// All sixteen lower-case hexadecimal digits of a word.
  public func append(sixteenHexadecimalDigitsOf value: UInt64) {
    reserve(16)
    store(Digits.hexadecimal(of: UInt32(truncatingIfNeeded: value >> 32)), at: 0)
    store(Digits.hexadecimal(of: UInt32(truncatingIfNeeded: value)), at: 8)
    end += 16
  }

  /// The 32 lower-case hexadecimal digits of two words, in the groups of a UUID (RFC 9562 §4): 8-4-4-4-12.
  public func append(uuid high: UInt64, _ low: UInt64) {
    let hyphen = UInt64(UInt8(ascii: "-"))
    let second = Digits.hexadecimal(of: UInt32(truncatingIfNeeded: high))
    let third = Digits.hexadecimal(of: UInt32(truncatingIfNeeded: low >> 32))
    reserve(36)
    store(Digits.hexadecimal(of: UInt32(truncatingIfNeeded: high >> 32)), at: 0)
    store(hyphen | (second & 0xFFFF_FFFF) << 8 | hyphen << 40 | (second >> 32) << 48, at: 8)
    store(second >> 48 | hyphen << 16 | (third & 0xFFFF_FFFF) << 24 | hyphen << 56, at: 16)
    store(third >> 32, at: 24)
    store(Digits.hexadecimal(of: UInt32(truncatingIfNeeded: low)), at: 28)
    end += 36
  }

  /// Writes eight bytes behind the last, the lowest of the word first, without keeping them. `reserve` has made room
  /// for them.
  @inline(__always)
  private func store(_ word: UInt64, at offset: Int) {
    // Within the block, since that was reserved.
    unsafe UnsafeMutableRawPointer(base + end + offset).storeBytes(of: word.littleEndian, as: UInt64.self)
  }

  /// `10.0.0.1` or `::1`, without a port.
  public func append(hostOf address: SocketAddress) { address.appendHost { append($0) } }

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
