/// Whether a field goes into the dynamic table (RFC 7541 §6.2).
public enum HPACKIndexing: UInt8, Sendable {
  /// Where it pays: a field enters the table when it is sent for the second time. Those that hold
  /// secrets are treated as ``never``.
  case automatic
  /// At once.
  case always
  /// Not at all, as a value that does not come again.
  case literal
  /// In no table on the whole way, as a secret that could be guessed (RFC 7541 §7.1.3).
  case never
}

/// Encodes field blocks (RFC 7541): one encoder serves all blocks that a connection sends, in order.
///
/// A block is made by ``begin()`` and one call for each field, pseudo-fields first; it then stands in
/// ``block`` until the next ``begin()``, and must be sent. Names and values must be valid, as those of
/// heads that a parser took are.
public struct HPACKEncoder: Sendable {
  /// Cookies that are shorter can be guessed one by one.
  private static let secretCookieBytesMax = 20

  private var table = HPACKEncoderTable()
  private var output = LineBuffer()
  private let tableBytesMax: Int
  private let usesHuffman: Bool
  /// The smallest size of the table since the last block, where the peer must be told of a change.
  private var smallestChange: Int?

  /// - Parameters:
  ///   - tableBytesMax: the most that the dynamic table may take, in bytes as RFC 7541 §4.1 counts
  ///     them, whatever the peer allows.
  ///   - usesHuffman: whether values are Huffman-coded where that makes them shorter.
  public init(tableBytesMax: Int = 4096, usesHuffman: Bool = false) {
    self.tableBytesMax = min(max(tableBytesMax, 0), 1 << 16)
    self.usesHuffman = usesHuffman
    // What the peer's decoder begins with; a smaller table must be announced.
    table.setSizeMax(Self.initialTableBytes)
    setPeerTableBytesMax(Self.initialTableBytes)
  }

  /// The size of the table at the beginning of a connection (RFC 9113 §6.5.2).
  private static let initialTableBytes = 4096

  /// Sets what the peer allows: SETTINGS_HEADER_TABLE_SIZE. The next block says what is used of it
  /// (RFC 7541 §4.2).
  public mutating func setPeerTableBytesMax(_ bytes: Int) {
    let size = min(max(bytes, 0), tableBytesMax)
    guard size != table.sizeMax else { return }
    smallestChange = min(size, smallestChange ?? .max)
    table.setSizeMax(size)
  }

  /// What the entries of the table take, in bytes as RFC 7541 §4.1 counts them.
  var tableBytes: Int { table.size }

  // MARK: Blocks

  /// Begins a block.
  public mutating func begin() {
    output.removeAll()
    guard let smallest = smallestChange else { return }
    smallestChange = nil
    if smallest < table.sizeMax { appendSizeUpdate(smallest) }
    appendSizeUpdate(table.sizeMax)
  }

  /// A change of the table's size (RFC 7541 §6.3).
  private mutating func appendSizeUpdate(_ bytes: Int) {
    HPACKInteger.encode(bytes, pattern: 0x20, prefixMask: 0x1F, into: &output)
  }

  /// Bytes of the block so far.
  public var blockCount: Int { output.count }

  /// The block so far.
  public var block: Span<UInt8> {
    @_lifetime(borrow self)
    get { output.bytes.extracting(0..<output.count) }
  }

  /// Appends a part of the block to a sink: all of it, or what fits a frame.
  ///
  /// - Parameter range: within the first ``blockCount`` bytes.
  public func append<Sink: ByteSink>(_ range: Range<Int>, to sink: Sink) {
    sink.append(output.bytes.extracting(range))
  }

  /// Gives back the memory that is not needed between blocks.
  public mutating func releaseMemory() {
    output = LineBuffer()
  }

  // MARK: Pseudo-fields

  /// Encodes `:method`.
  ///
  /// - Parameter range: the method as text, which is looked at for those without a code of their own.
  public mutating func encode(method: HTTPMethod, _ range: ByteRange, in bytes: Span<UInt8>) {
    switch method {
    case .get: appendIndex(2)
    case .post: appendIndex(3)
    default: encode(.method, value: bytes, range, indexing: .automatic)
    }
  }

  /// Encodes `:scheme`.
  public mutating func encode(schemeIsHTTPS: Bool) {
    appendIndex(schemeIsHTTPS ? 7 : 6)
  }

  /// Encodes `:path`: a path with its query, or an asterisk.
  public mutating func encode(path: Span<UInt8>) {
    if path.count == 1, path[0] == ASCII.slash { return appendIndex(4) }
    encode(.path, value: path)
  }

  /// Encodes `:authority`.
  public mutating func encode(authority: Span<UInt8>) {
    encode(.authority, value: authority)
  }

  /// Encodes `:protocol` (RFC 8441).
  public mutating func encode(protocol name: Span<UInt8>) {
    encode(.protocol, value: name)
  }

  /// Encodes `:status`.
  ///
  /// - Parameter status: 100 to 999.
  public mutating func encode(status: UInt16) {
    switch status {
    case 200: appendIndex(8)
    case 204: appendIndex(9)
    case 206: appendIndex(10)
    case 304: appendIndex(11)
    case 400: appendIndex(12)
    case 404: appendIndex(13)
    case 500: appendIndex(14)
    default: encode(.status, decimal: UInt64(status))
    }
  }

  // MARK: Fields

  /// Encodes a field of a head or trailer section; upper-case letters of its name become lower-case.
  ///
  /// - Parameter bytes: what the field's ranges refer to.
  @inline(__always)
  public mutating func encode(
    _ field: Field, in bytes: Span<UInt8>, indexing: HPACKIndexing = .automatic
  ) {
    encode(name: bytes, field.name, value: bytes, field.value, indexing: indexing)
  }

  /// Encodes a field; upper-case letters of its name become lower-case.
  public mutating func encode(
    name: Span<UInt8>, value: Span<UInt8>, indexing: HPACKIndexing = .automatic
  ) {
    encode(
      name: name, ByteRange(start: 0, count: name.count), value: value,
      ByteRange(start: 0, count: value.count), indexing: indexing)
  }

  /// Encodes a field from ranges of larger spans, which is faster than from spans of their own.
  public mutating func encode(
    name: Span<UInt8>, _ nameRange: ByteRange, value: Span<UInt8>, _ valueRange: ByteRange,
    indexing: HPACKIndexing = .automatic
  ) {
    encode(
      name: name, nameRange, nameHash: FieldHash.name(name, nameRange), staticIndex: nil, value: value,
      valueRange, indexing: indexing)
  }

  /// Encodes a field with a name that is known beforehand.
  @inline(__always)
  public mutating func encode(
    _ name: HPACKName, value: Span<UInt8>, indexing: HPACKIndexing = .automatic
  ) {
    encode(name, value: value, ByteRange(start: 0, count: value.count), indexing: indexing)
  }

  /// The same from a range of a larger span.
  public mutating func encode(
    _ name: HPACKName, value: Span<UInt8>, _ range: ByteRange, indexing: HPACKIndexing = .automatic
  ) {
    encode(
      name: name.text.span, ByteRange(start: 0, count: name.count), nameHash: name.hash,
      staticIndex: name.staticIndex, value: value, range, indexing: indexing)
  }

  /// Encodes a field whose value is a number.
  public mutating func encode(
    _ name: HPACKName, decimal number: UInt64, indexing: HPACKIndexing = .automatic
  ) {
    var digits = InlineArray<24, UInt8>(repeating: 0)
    var start = 20
    var rest = number
    repeat {
      start &-= 1
      digits[start] = ASCII.zero &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    encode(name, value: digits.span, ByteRange(start: start, count: 20 &- start), indexing: indexing)
  }

  private mutating func encode(
    name: Span<UInt8>, _ nameRange: ByteRange, nameHash: UInt64, staticIndex: Int?,
    value: Span<UInt8>, _ valueRange: ByteRange, indexing: HPACKIndexing
  ) {
    var hash: UInt64 = 0
    if indexing == .automatic || indexing == .always {
      hash = FieldHash.field(name: nameHash, value, value: valueRange)
      let index = table.index(name: name, nameRange, value: value, valueRange, hash: hash)
      if index != 0 { return appendIndex(index) }
    }
    var nameIndex = staticIndex ?? hpackStaticNames.index(name, nameRange, hash: nameHash)
    let indexing = decide(indexing, hash, nameIndex, nameRange, valueRange)
    if nameIndex == 0 { nameIndex = table.index(name: name, nameRange, hash: nameHash) }
    switch indexing {
    case .always: HPACKInteger.encode(nameIndex, pattern: 0x40, prefixMask: 0x3F, into: &output)
    case .never: HPACKInteger.encode(nameIndex, pattern: 0x10, prefixMask: 0x0F, into: &output)
    case .literal, .automatic: HPACKInteger.encode(nameIndex, pattern: 0, prefixMask: 0x0F, into: &output)
    }
    if nameIndex == 0 {
      HPACKInteger.encode(Int(nameRange.count), pattern: 0, prefixMask: 0x7F, into: &output)
      output.append(lowercasing: name, from: Int(nameRange.start), count: Int(nameRange.count))
    }
    appendString(value, valueRange)
    guard indexing == .always else { return }
    table.insert(
      name: name, nameRange, nameHash: nameHash, value: value, valueRange, hash: hash)
  }

  /// What becomes of a field that is not in the table.
  @inline(__always)
  private mutating func decide(
    _ indexing: HPACKIndexing, _ hash: UInt64, _ staticIndex: Int, _ name: ByteRange, _ value: ByteRange
  ) -> HPACKIndexing {
    guard indexing == .automatic || indexing == .always else { return indexing }
    if indexing == .automatic {
      switch staticIndex {
      // authorization, proxy-authorization, set-cookie
      case 23, 49, 55: return .never
      // cookie
      case 32 where Int(value.count) < Self.secretCookieBytesMax: return .never
      default: break
      }
    }
    // A field of nearly the table's size would drive out all others.
    let size = Int(name.count) &+ Int(value.count) &+ HPACKTable.entryOverhead
    guard size <= table.sizeMax / 4 &* 3 else { return .literal }
    return indexing == .always || table.wasSeen(hash) ? .always : .literal
  }

  /// A field that is in a table (RFC 7541 §6.1).
  @inline(__always)
  private mutating func appendIndex(_ index: Int) {
    HPACKInteger.encode(index, pattern: 0x80, prefixMask: 0x7F, into: &output)
  }

  /// A string (RFC 7541 §5.2).
  @inline(__always)
  private mutating func appendString(_ bytes: Span<UInt8>, _ range: ByteRange) {
    if usesHuffman, appendHuffman(bytes.bytes(in: range)) { return }
    HPACKInteger.encode(Int(range.count), pattern: 0, prefixMask: 0x7F, into: &output)
    output.append(bytes, from: Int(range.start), count: Int(range.count))
  }

  /// Appends a string Huffman-coded; false where that does not make it shorter.
  @inline(never)
  private mutating func appendHuffman(_ string: Span<UInt8>) -> Bool {
    let count = HuffmanEncoding.count(string)
    guard count < string.count else { return false }
    HPACKInteger.encode(count, pattern: 0x80, prefixMask: 0x7F, into: &output)
    output.append(encoding: string, huffmanCount: count)
    return true
  }
}
