/// The dynamic table of an encoder, with a way to find entries.
///
/// Each hash has one place, where the entry that was inserted last stands: a collision makes an
/// older entry impossible to find, and costs nothing else.
struct HPACKEncoderTable: Sendable {
  /// Hashes of an entry.
  struct Note: BitwiseCopyable, Sendable {
    var name: UInt32
    var field: UInt32
  }

  private var table = HPACKDynamicTable<Note>(sizeMax: 0)
  /// By the hashes of fields, and of names: how many entries had been inserted when the entry was,
  /// itself included; its low bits.
  private var places: [UInt16] = []
  /// By the hashes of fields: the hash of one that was sent without entering the table.
  private var sightings: [UInt32] = []

  private static let sightingsCount = 128

  var sizeMax: Int { table.sizeMax }
  var size: Int { table.size }
  var count: Int { table.count }

  mutating func setSizeMax(_ bytes: Int) {
    table.setSizeMax(bytes)
    guard bytes >= HPACKTable.entryOverhead, places.isEmpty else { return }
    places = [UInt16](repeating: 0, count: 256)
    sightings = [UInt32](repeating: 0, count: Self.sightingsCount)
  }

  /// The index of a field, counted from 1 behind the static table, or 0.
  @inline(__always)
  func index(
    name: Span<UInt8>, _ nameRange: ByteRange, value: Span<UInt8>, _ valueRange: ByteRange, hash: UInt64
  ) -> Int {
    guard let place = place(of: hash) else { return 0 }
    let entry = table[place]
    guard entry.note.field == UInt32(truncatingIfNeeded: hash &>> 32), entry.nameCount == nameRange.count,
      entry.valueCount == valueRange.count
    else { return 0 }
    let start = table.lineStart(of: entry)
    let lines = table.lines.bytes
    guard value.equals(valueRange, lines, at: start &+ Int(entry.nameCount) &+ 2),
      name.equalsIgnoringCase(nameRange, lowercase: lines, at: start)
    else { return 0 }
    return place &+ HPACKStaticTable.count &+ 1
  }

  /// The index of an entry with a name, or 0.
  @inline(__always)
  func index(name: Span<UInt8>, _ range: ByteRange, hash: UInt64) -> Int {
    guard let place = place(of: hash) else { return 0 }
    let entry = table[place]
    guard entry.note.name == UInt32(truncatingIfNeeded: hash &>> 32), entry.nameCount == range.count,
      name.equalsIgnoringCase(range, lowercase: table.lines.bytes, at: table.lineStart(of: entry))
    else { return 0 }
    return place &+ HPACKStaticTable.count &+ 1
  }

  /// What stands at the place of a hash, as an index into the table; it may be another entry.
  @inline(__always)
  private func place(of hash: UInt64) -> Int? {
    guard !places.isEmpty else { return nil }
    let number = places[Int(truncatingIfNeeded: hash) & (places.count &- 1)]
    let age = Int(UInt16(truncatingIfNeeded: table.inserted) &- number)
    return age < table.count ? age : nil
  }

  /// Whether a field was sent before, without entering the table; it is now.
  mutating func wasSeen(_ hash: UInt64) -> Bool {
    guard !sightings.isEmpty else { return false }
    let place = Int(truncatingIfNeeded: hash) & (Self.sightingsCount &- 1)
    let mark = UInt32(truncatingIfNeeded: hash &>> 32)
    if sightings[place] == mark { return true }
    sightings[place] = mark
    return false
  }

  /// Inserts a field, which the decoder of the peer does too.
  mutating func insert(
    name: Span<UInt8>, _ nameRange: ByteRange, nameHash: UInt64,
    value: Span<UInt8>, _ valueRange: ByteRange, hash: UInt64
  ) {
    let note = Note(
      name: UInt32(truncatingIfNeeded: nameHash &>> 32), field: UInt32(truncatingIfNeeded: hash &>> 32))
    table.insert(name: name, nameRange, value: value, valueRange, note: note)
    guard !places.isEmpty else { return }
    let number = UInt16(truncatingIfNeeded: table.inserted)
    places[Int(truncatingIfNeeded: nameHash) & (places.count &- 1)] = number
    places[Int(truncatingIfNeeded: hash) & (places.count &- 1)] = number
  }
}
