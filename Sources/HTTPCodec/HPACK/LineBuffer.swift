/// Bytes under construction, in an array that is reused.
///
/// Runs are copied eight bytes at a time, the last word beyond the end of the run: the array is
/// always a little longer than what it holds.
struct LineBuffer: Sendable {
  /// Bytes behind the last one that may be overwritten.
  static let slack = 16

  private(set) var storage: [UInt8] = []
  private(set) var count = 0

  /// The bytes that it holds; behind them stand others, which mean nothing.
  var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    @inline(__always)
    get { storage.span }
  }

  /// Makes room for `more` bytes.
  @inline(__always)
  mutating func reserve(_ more: Int) {
    if storage.count &- count < more &+ Self.slack { grow(more) }
  }

  @inline(never)
  private mutating func grow(_ more: Int) {
    let needed = count + more + Self.slack
    let capacity = max(256, storage.count * 2, needed)
    storage.reserveCapacity(capacity)
    storage.append(contentsOf: repeatElement(0, count: capacity - storage.count))
  }

  mutating func removeAll() { count = 0 }

  /// Keeps only the first bytes, of those that it holds.
  @inline(__always)
  mutating func truncate(to newCount: Int) {
    if newCount < count { count = max(0, newCount) }
  }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    reserve(1)
    storage[count] = byte
    count &+= 1
  }

  /// Appends two bytes, the first in the low half of the number.
  @inline(__always)
  mutating func append(pair: UInt16) {
    reserve(2)
    let end = count
    var target = storage.mutableSpan
    var raw = MutableRawSpan(_elements: &target)
    raw.storeBytes(of: pair.littleEndian, toByteOffset: end, as: UInt16.self)
    count = end &+ 2
  }

  /// Appends `length` bytes of a span from `start`, which must lie within it.
  @inline(__always)
  mutating func append(_ source: Span<UInt8>, from start: Int, count length: Int) {
    reserve(length)
    Self.copy(source, from: start, count: length, to: &storage, at: count)
    count &+= length
  }

  @inline(__always)
  private static func copy(
    _ source: Span<UInt8>, from start: Int, count length: Int, to storage: inout [UInt8], at position: Int
  ) {
    var target = storage.mutableSpan
    var raw = MutableRawSpan(_elements: &target)
    var done = 0
    while done < length {
      guard let word = source.word(at: start &+ done) else { break }
      raw.storeBytes(of: word.littleEndian, toByteOffset: position &+ done, as: UInt64.self)
      done &+= 8
    }
    // Fewer than eight bytes are left of the source.
    while done < length {
      raw.storeBytes(of: source[start &+ done], toByteOffset: position &+ done, as: UInt8.self)
      done &+= 1
    }
  }

  /// Appends a run that it holds already.
  mutating func appendOwn(_ range: ByteRange) {
    let length = Int(range.count)
    reserve(length)
    let end = count
    var target = storage.mutableSpan
    for index in 0..<length { target[end &+ index] = target[Int(range.start) &+ index] }
    count = end &+ length
  }

  /// Appends ASCII with its upper-case letters made lower-case.
  @inline(__always)
  mutating func append(lowercasing source: Span<UInt8>, from start: Int, count length: Int) {
    reserve(length)
    let end = count
    var target = storage.mutableSpan
    var raw = MutableRawSpan(_elements: &target)
    var done = 0
    while done < length {
      guard let word = source.word(at: start &+ done) else { break }
      raw.storeBytes(of: Word.lowercased(word).littleEndian, toByteOffset: end &+ done, as: UInt64.self)
      done &+= 8
    }
    while done < length {
      raw.storeBytes(of: source[start &+ done].asciiLowercased, toByteOffset: end &+ done, as: UInt8.self)
      done &+= 1
    }
    count = end &+ length
  }

  /// Appends what Huffman-coded bytes stand for (RFC 7541 §5.2).
  ///
  /// - Returns: false where the code is not valid; nothing is then appended.
  mutating func append(huffman source: Span<UInt8>, from start: Int, count length: Int) -> Bool {
    // The shortest code has five bits.
    reserve(length &* 8 / 5 &+ 1)
    let source = source.extracting(start..<(start &+ length))
    let position = count
    var target = storage.mutableSpan
    guard let end = HuffmanDecoding.decode(source, into: &target, at: position) else { return false }
    count = end
    return true
  }

  /// Appends bytes Huffman-coded.
  mutating func append(encoding source: Span<UInt8>, huffmanCount: Int) {
    reserve(huffmanCount)
    let position = count
    var target = storage.mutableSpan
    HuffmanEncoding.encode(source, into: &target, at: position)
    count = position &+ huffmanCount
  }

  /// Removes the first bytes; those behind move up.
  mutating func removeFirst(_ removed: Int) {
    guard removed > 0 else { return }
    let kept = max(0, count &- removed)
    var target = storage.mutableSpan
    for index in 0..<kept { target[index] = target[index &+ removed] }
    count = kept
  }
}
