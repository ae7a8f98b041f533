/// An entry of a table: a line `name: value` with its end, and what is known of it.
struct HPACKEntry<Note: BitwiseCopyable & Sendable>: BitwiseCopyable, Sendable {
  /// Where the line begins. For the dynamic table it counts all bytes that were ever stored, so that
  /// entries stay as they are when the lines move up.
  var start: UInt32
  var nameCount: UInt32
  var valueCount: UInt32
  var note: Note

  @inline(__always)
  init(start: Int, nameCount: Int, valueCount: Int, note: Note) {
    self.start = UInt32(truncatingIfNeeded: start)
    self.nameCount = UInt32(truncatingIfNeeded: nameCount)
    self.valueCount = UInt32(truncatingIfNeeded: valueCount)
    self.note = note
  }

  /// Bytes of the line: the name, a colon and a space, the value, CR and LF.
  @inline(__always) var lineCount: Int { Int(nameCount) &+ Int(valueCount) &+ 4 }

  /// What the entry counts for (RFC 7541 §4.1).
  @inline(__always) var size: Int { Int(nameCount) &+ Int(valueCount) &+ HPACKTable.entryOverhead }
}

enum HPACKTable {
  /// What an entry counts for beside its name and value, in bytes (RFC 7541 §4.1).
  static let entryOverhead = 32
}

/// A dynamic table (RFC 7541 §2.3.2), of a decoder or of an encoder.
///
/// The lines stand one behind the other in an array of up to twice the table's size, so that each is
/// one run; when its end is reached, those that are left move to its front. Entries are in a ring.
/// Both grow with what they hold: a table that nobody uses takes no memory.
struct HPACKDynamicTable<Note: BitwiseCopyable & Sendable>: Sendable {
  typealias Entry = HPACKEntry<Note>

  private(set) var lines = LineBuffer()
  /// A ring with a power of two of places; an entry's place is its number, modulo that.
  private var entries: [Entry] = []
  /// Entries that were ever inserted: the number of the next one.
  private(set) var inserted = 0
  private(set) var count = 0
  /// The sum of the sizes of all entries, and the most that it may be.
  private(set) var size = 0
  private(set) var sizeMax: Int
  /// Bytes that were stored in front of the first one in `lines`.
  private var linesBase: UInt32 = 0

  init(sizeMax: Int) {
    self.sizeMax = sizeMax
  }

  /// The entry with an index: 0 for the one that was inserted last. `index` is less than `count`.
  @inline(__always)
  subscript(index: Int) -> Entry { entries[(inserted &- 1 &- index) & (entries.count &- 1)] }

  /// The index in `lines` of the line of an entry.
  @inline(__always)
  func lineStart(of entry: Entry) -> Int { Int(entry.start &- linesBase) }

  mutating func setSizeMax(_ bytes: Int) {
    sizeMax = bytes
    evict(toFit: 0)
  }

  @inline(__always)
  private mutating func evict(toFit more: Int) {
    while count > 0, size &+ more > sizeMax {
      size &-= self[count &- 1].size
      count &-= 1
    }
  }

  /// Makes room for an entry (RFC 7541 §4.4).
  ///
  /// - Returns: false where the entry is larger than the table, which is then empty.
  @inline(__always)
  private mutating func makeRoom(_ nameCount: Int, _ valueCount: Int, note: Note) -> Bool {
    let size = nameCount &+ valueCount &+ HPACKTable.entryOverhead
    evict(toFit: size)
    guard size <= sizeMax else { return false }
    let lineCount = nameCount &+ valueCount &+ 4
    if lines.count &+ lineCount &+ LineBuffer.slack > max(sizeMax &* 2, lines.storage.count) {
      moveLines()
    }
    lines.reserve(lineCount)
    if count == entries.count { growEntries(filler: note) }
    return true
  }

  /// Appends the beginning of an entry's line to a buffer.
  @inline(__always)
  func append(_ entry: Entry, count: Int, to output: inout LineBuffer) {
    output.append(lines.bytes, from: lineStart(of: entry), count: count)
  }

  /// Inserts the entry whose line begins at `start` in a buffer.
  mutating func insert(_ source: LineBuffer, from start: Int, nameCount: Int, valueCount: Int, note: Note) {
    guard makeRoom(nameCount, valueCount, note: note) else { return }
    let lineStart = lines.count
    lines.append(source.bytes, from: start, count: nameCount &+ valueCount &+ 4)
    add(lineStart: lineStart, nameCount, valueCount, note)
  }

  /// Inserts an entry of a name, which may have upper-case letters, and a value.
  mutating func insert(
    name: Span<UInt8>, _ nameRange: ByteRange, value: Span<UInt8>, _ valueRange: ByteRange, note: Note
  ) {
    let nameCount = Int(nameRange.count)
    let valueCount = Int(valueRange.count)
    guard makeRoom(nameCount, valueCount, note: note) else { return }
    let lineStart = lines.count
    lines.append(lowercasing: name, from: Int(nameRange.start), count: nameCount)
    lines.append(pair: LineText.colonSpace)
    lines.append(value, from: Int(valueRange.start), count: valueCount)
    lines.append(pair: LineText.end)
    add(lineStart: lineStart, nameCount, valueCount, note)
  }

  @inline(__always)
  private mutating func add(lineStart: Int, _ nameCount: Int, _ valueCount: Int, _ note: Note) {
    let start = Int(linesBase &+ UInt32(truncatingIfNeeded: lineStart))
    let entry = Entry(start: start, nameCount: nameCount, valueCount: valueCount, note: note)
    entries[inserted & (entries.count &- 1)] = entry
    inserted &+= 1
    count &+= 1
    size &+= entry.size
  }

  /// Moves the lines of entries that are left to the front.
  @inline(never)
  private mutating func moveLines() {
    let removed = count == 0 ? lines.count : lineStart(of: self[count &- 1])
    lines.removeFirst(removed)
    linesBase = linesBase &+ UInt32(truncatingIfNeeded: removed)
  }

  @inline(never)
  private mutating func growEntries(filler: Note) {
    let old = entries
    let places = max(8, old.count * 2)
    let empty = Entry(start: 0, nameCount: 0, valueCount: 0, note: filler)
    entries = [Entry](repeating: empty, count: places)
    for number in (inserted - count)..<inserted {
      entries[number & (places - 1)] = old[number & (old.count - 1)]
    }
  }
}

/// What stands between and behind the parts of a line, as little-endian pairs.
enum LineText {
  /// A colon and a space.
  static let colonSpace: UInt16 = 0x203A
  /// A semicolon and a space.
  static let semicolonSpace: UInt16 = 0x203B
  /// CR and LF.
  static let end: UInt16 = 0x0A0D
}
