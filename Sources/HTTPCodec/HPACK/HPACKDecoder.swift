/// Decodes field blocks (RFC 7541): one decoder serves all blocks that a connection receives, in order.
///
/// Blocks become messages: see ``decodeRequest(_:into:head:endStream:limits:)`` and its siblings.
public struct HPACKDecoder: Sendable {
  typealias Entry = HPACKEntry<FieldTraits>

  private(set) var table: HPACKDynamicTable<FieldTraits>
  /// The lines of the block that is being decoded.
  var lines = LineBuffer()
  /// The largest table that the peer may use.
  private var tableBytesMax: Int
  /// The size that the next block must bring the table down to before anything else, where the limit
  /// was lowered below the table's size (RFC 7541 §4.2).
  private var requiredSizeMax: Int?

  /// Memory for lines that is kept between blocks, in bytes: more was needed by one large head only.
  private static let keptLineBytes = 8192

  /// - Parameter tableBytesMax: the size of the dynamic table, as RFC 7541 §4.1 counts it; HTTP/2
  ///   begins with 4,096.
  public init(tableBytesMax: Int = 4096) {
    let bytes = Self.bounded(tableBytesMax)
    self.tableBytesMax = bytes
    table = HPACKDynamicTable(sizeMax: bytes)
  }

  /// Sets the largest dynamic table that the peer may use: what SETTINGS_HEADER_TABLE_SIZE
  /// announced, from its acknowledgement on (RFC 9113 §4.3.1).
  public mutating func setTableBytesMax(_ bytes: Int) {
    tableBytesMax = Self.bounded(bytes)
    if tableBytesMax < min(table.sizeMax, requiredSizeMax ?? .max) { requiredSizeMax = tableBytesMax }
  }

  /// A table that is larger than this helps nobody.
  private static func bounded(_ bytes: Int) -> Int { min(max(bytes, 0), 1 << 20) }

  /// Gives back the memory that is not needed between blocks.
  public mutating func releaseMemory() {
    lines = LineBuffer()
  }

  // MARK: Blocks

  /// Decodes a whole block: the lines are then in `lines`, and what they mean is in the message.
  ///
  /// - Throws: an error of the connection at once. What is wrong with the message is thrown when the block has
  ///   been decoded to its end, so that the tables stay in step.
  mutating func decode(
    _ block: Span<UInt8>, into message: inout MessageAssembly, fields: inout [Field]
  ) throws(HTTP2BlockError) {
    if lines.storage.count > Self.keptLineBytes { lines = LineBuffer() }
    lines.removeAll()
    fields.removeAll(keepingCapacity: true)
    var position = try takeSizeUpdates(block)
    let staticLines = hpackStaticTable.lines.span
    let staticEntries = hpackStaticTable.entries.span
    while position < block.count {
      if block[position] & 0x80 != 0 {
        // RFC 7541 §6.1: an entry of a table, as it is.
        guard let index = HPACKInteger.decode(block, at: &position, prefixMask: 0x7F) else {
          throw .connection(.compressionError)
        }
        let entry = try entry(index, staticEntries)
        guard try message.makeRoom(for: entry.size) else { continue }
        let start = lines.count
        append(entry, isStatic: index <= HPACKStaticTable.count, count: entry.lineCount, staticLines)
        message.take(entry, at: start, in: lines.bytes, into: &fields)
      } else {
        try takeLiteral(block, &position, staticLines, staticEntries, into: &message, &fields)
      }
    }
    if let failure = message.failure { throw failure }
  }

  /// Takes the changes of the table's size, which only the beginning of a block may hold
  /// (RFC 7541 §4.2); returns where the fields begin.
  @inline(__always)
  private mutating func takeSizeUpdates(_ block: Span<UInt8>) throws(HTTP2BlockError) -> Int {
    var position = 0
    // The smallest size between two blocks, and the last one: no encoder needs a third.
    var left = 2
    while position < block.count, block[position] & 0xE0 == 0x20 {
      guard left > 0, let bytes = HPACKInteger.decode(block, at: &position, prefixMask: 0x1F),
        bytes <= min(tableBytesMax, requiredSizeMax ?? .max)
      else { throw .connection(.compressionError) }
      left &-= 1
      requiredSizeMax = nil
      table.setSizeMax(bytes)
    }
    guard requiredSizeMax == nil else { throw .connection(.compressionError) }
    return position
  }

  /// The entry with an index (RFC 7541 §2.3.3).
  @inline(__always)
  private func entry(_ index: Int, _ staticEntries: Span<Entry>) throws(HTTP2BlockError) -> Entry {
    if index > HPACKStaticTable.count {
      let place = index &- HPACKStaticTable.count &- 1
      guard place < table.count else { throw .connection(.compressionError) }
      return table[place]
    }
    guard index > 0 else { throw .connection(.compressionError) }
    return staticEntries[index &- 1]
  }

  /// Appends the beginning of an entry's line.
  @inline(__always)
  private mutating func append(
    _ entry: Entry, isStatic: Bool, count: Int, _ staticLines: Span<UInt8>
  ) {
    if isStatic {
      lines.append(staticLines, from: Int(entry.start), count: count)
    } else {
      table.append(entry, count: count, to: &lines)
    }
  }

  /// Takes a field whose value, and perhaps name, stands in the block (RFC 7541 §6.2).
  private mutating func takeLiteral(
    _ block: Span<UInt8>, _ position: inout Int, _ staticLines: Span<UInt8>, _ staticEntries: Span<Entry>,
    into message: inout MessageAssembly, _ fields: inout [Field]
  ) throws(HTTP2BlockError) {
    let first = block[position]
    // RFC 7541 §6.3: a change of size does not stand behind a field.
    guard first & 0xE0 != 0x20 else { throw .connection(.compressionError) }
    let isIndexed = first & 0x40 != 0
    guard
      let nameIndex = HPACKInteger.decode(block, at: &position, prefixMask: isIndexed ? 0x3F : 0x0F)
    else { throw .connection(.compressionError) }
    let start = lines.count
    var nameTraits: FieldTraits?
    if nameIndex == 0 {
      try takeString(block, &position)
    } else {
      let entry = try entry(nameIndex, staticEntries)
      nameTraits = entry.note
      append(
        entry, isStatic: nameIndex <= HPACKStaticTable.count, count: Int(entry.nameCount), staticLines)
    }
    let nameCount = lines.count &- start
    lines.append(pair: LineText.colonSpace)
    let valueStart = lines.count
    try takeString(block, &position)
    let valueCount = lines.count &- valueStart
    lines.append(pair: LineText.end)

    let isWanted = try message.makeRoom(for: nameCount &+ valueCount &+ HPACKTable.entryOverhead)
    if isWanted || isIndexed {
      let traits = FieldTraits.examine(
        lines.bytes, from: start, nameCount: nameCount, valueCount: valueCount, nameTraits: nameTraits)
      let entry = Entry(start: start, nameCount: nameCount, valueCount: valueCount, note: traits)
      if isIndexed {
        table.insert(lines, from: start, nameCount: nameCount, valueCount: valueCount, note: traits)
      }
      if isWanted { message.take(entry, at: start, in: lines.bytes, into: &fields) }
    }
    if !isWanted { lines.truncate(to: start) }
  }

  /// Appends a string of the block (RFC 7541 §5.2).
  @inline(__always)
  private mutating func takeString(_ block: Span<UInt8>, _ position: inout Int) throws(HTTP2BlockError) {
    guard position < block.count else { throw .connection(.compressionError) }
    let isHuffman = block[position] & 0x80 != 0
    guard let count = HPACKInteger.decode(block, at: &position, prefixMask: 0x7F),
      count <= block.count &- position
    else { throw .connection(.compressionError) }
    if isHuffman {
      guard lines.append(huffman: block, from: position, count: count) else {
        throw .connection(.compressionError)
      }
    } else {
      lines.append(block, from: position, count: count)
    }
    position &+= count
  }
}
