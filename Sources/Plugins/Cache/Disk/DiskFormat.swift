import Runtime

/// A stored response as a file: a fixed part, a head, checks of the content's pieces, the content.
///
///     magic 8 · bytes of the head 4 · bytes of the content 8 · check of the head 4
///
/// Numbers are little-endian. The head's check is over the fixed part before it, and the head. A piece's check, 4 bytes
/// for each, is over the head's check, the piece's number, and the piece: so any part of the content can be checked
/// without the others, and none passes for one of another file or place. A file of another version, or one that was cut
/// or changed, does not match, and is dropped.
enum DiskFormat {
  static let fixedBytes = 24
  /// Of the content; the last one may have less. What a range reads at most beside what it is for, and much more than
  /// handing it from thread to thread costs.
  static let pieceBytes = 131_072
  /// Far more than any response may have.
  private static let contentBytesMax: Int64 = 1 << 50
  /// Of the head: URL, partition, fields and tags together are less than half of that.
  static let headBytesMax = 1_048_576
  private static let magic = Array("PenstC02".utf8)

  struct Fixed: Equatable {
    var headBytes: Int
    var contentBytes: Int
    var headCheck: UInt32

    /// Bytes of the file before the checks.
    var checksStart: Int { DiskFormat.fixedBytes + headBytes }
    /// Bytes of the file before the content.
    var contentStart: Int { checksStart + 4 * pieceCount }
    private var pieceCount: Int { (contentBytes + DiskFormat.pieceBytes - 1) / DiskFormat.pieceBytes }

    /// The bytes of the content that a piece has.
    func piece(_ number: Int) -> Range<Int> {
      let start = number * DiskFormat.pieceBytes
      return start..<min(start + DiskFormat.pieceBytes, contentBytes)
    }
  }

  /// What the head says.
  struct Head: Equatable {
    var url: [UInt8] = []
    var partition: [UInt8] = []
    var selected: [SelectedValue] = []
    var status: UInt16 = 0
    var lines: [UInt8] = []
    var entityTag: [UInt8] = []
    var lastModified: Int64?
    var tags: [[UInt8]] = []
    var terms = StorageTerms()
    /// Nanoseconds since 1970.
    var storedAt: Int64 = 0
  }

  // MARK: Writing

  /// All that comes before the content; nil where it is too large.
  static func beginning(_ head: Head, of content: Span<UInt8>) -> [UInt8]? {
    guard var bytes = self.head(head, contentBytes: content.count), let fixed = fixed(bytes.span) else {
      return nil
    }
    var checks = DiskWriter()
    var number = 0
    while number * pieceBytes < content.count {
      checks.put(check(of: content.extracting(fixed.piece(number)), number, fixed))
      number += 1
    }
    bytes += checks.bytes
    return bytes
  }

  /// The fixed part and the head; nil where it is too large.
  static func head(_ head: Head, contentBytes: Int) -> [UInt8]? {
    var writer = DiskWriter()
    writer.put(head.storedAt)
    writer.put(Int64(head.status))
    writer.put(head.terms.lifetime)
    writer.put(head.terms.initialAge)
    writer.put(head.terms.staleWhileRevalidate)
    writer.put(head.terms.staleIfError)
    writer.put(
      Int64(
        (head.terms.alwaysValidates ? 1 : 0) | (head.terms.mustRevalidate ? 2 : 0)
          | (head.lastModified == nil ? 0 : 4)))
    writer.put(head.lastModified ?? 0)
    writer.put(head.url)
    writer.put(head.partition)
    writer.put(head.lines)
    writer.put(head.entityTag)
    writer.put(Int64(head.selected.count))
    for one in head.selected {
      writer.put(one.name)
      writer.put(Int64(one.value == nil ? 0 : 1))
      writer.put(one.value ?? [])
    }
    writer.put(Int64(head.tags.count))
    for tag in head.tags { writer.put(tag) }
    guard writer.bytes.count <= headBytesMax else { return nil }
    var fixed = DiskWriter()
    fixed.bytes = magic
    fixed.put(UInt32(writer.bytes.count))
    fixed.put(Int64(contentBytes))
    fixed.put(check(fixed.bytes.span, writer.bytes.span))
    return fixed.bytes + writer.bytes
  }

  /// Of a piece.
  private static func check(of piece: Span<UInt8>, _ number: Int, _ fixed: Fixed) -> UInt32 {
    var place = DiskWriter()
    place.put(fixed.headCheck)
    place.put(Int64(number))
    var check = CRC32C()
    check.update(place.bytes.span)
    check.update(piece)
    return check.value
  }

  private static func check(_ fixed: Span<UInt8>, _ head: Span<UInt8>) -> UInt32 {
    var check = CRC32C()
    check.update(fixed)
    check.update(head)
    return check.value
  }

  // MARK: Reading

  /// Nil where it is none, or of another version.
  static func fixed(_ bytes: Span<UInt8>) -> Fixed? {
    var reader = DiskReader(bytes)
    guard bytes.count >= fixedBytes, let found = reader.take(8), found == magic,
      let headBytes = reader.word(), let contentBytes = reader.number(), let headCheck = reader.word(),
      headBytes <= headBytesMax, (0...contentBytesMax).contains(contentBytes)
    else { return nil }
    return Fixed(headBytes: Int(headBytes), contentBytes: Int(contentBytes), headCheck: headCheck)
  }

  /// Whether a piece is what was written.
  /// - check: The bytes of its check.
  static func isIntact(_ piece: Span<UInt8>, _ number: Int, _ fixed: Fixed, check bytes: Span<UInt8>) -> Bool
  {
    var reader = DiskReader(bytes)
    return reader.word() == check(of: piece, number, fixed)
  }

  /// How far the clock may have been set back since; what is stored later than that is damaged.
  private static let futureNanosecondsMax: Int64 = 86_400_000_000_000

  /// Nil where it is damaged.
  /// - bytes: The fixed part and the head.
  /// - wallNanoseconds: Now, since 1970.
  static func head(
    _ bytes: Span<UInt8>, _ fixed: Fixed, at wallNanoseconds: Int64 = SystemClock.wallNanoseconds
  ) -> Head? {
    guard bytes.count >= fixedBytes + fixed.headBytes else { return nil }
    let text = bytes.extracting(fixedBytes..<fixedBytes + fixed.headBytes)
    guard check(bytes.extracting(0..<fixedBytes - 4), text) == fixed.headCheck else { return nil }
    var reader = DiskReader(text)
    var head = Head()
    guard let storedAt = reader.number(), let status = reader.number(), (200...599).contains(status),
      let lifetime = reader.number(), let initialAge = reader.number(),
      let whileRevalidate = reader.number(), let ifError = reader.number(), let flags = reader.number(),
      let lastModified = reader.number(), let url = reader.list(), let partition = reader.list(),
      let lines = reader.list(), let entityTag = reader.list()
    else { return nil }
    // Ages are counted from it: no difference of both overflows.
    guard storedAt >= 0, storedAt <= wallNanoseconds + futureNanosecondsMax else { return nil }
    head.storedAt = storedAt
    head.status = UInt16(status)
    head.terms.lifetime = bounded(lifetime)
    head.terms.initialAge = bounded(initialAge)
    head.terms.staleWhileRevalidate = bounded(whileRevalidate)
    head.terms.staleIfError = bounded(ifError)
    head.terms.alwaysValidates = flags & 1 != 0
    head.terms.mustRevalidate = flags & 2 != 0
    head.lastModified = flags & 4 != 0 ? lastModified : nil
    (head.url, head.partition, head.lines, head.entityTag) = (url, partition, lines, entityTag)
    guard readLists(&reader, into: &head), reader.isAtEnd else { return nil }
    return head
  }

  private static func readLists(_ reader: inout DiskReader, into head: inout Head) -> Bool {
    guard let selected = reader.number(), (0...Int64(ResponseFacts.varyMax)).contains(selected) else {
      return false
    }
    for _ in 0..<selected {
      guard let name = reader.list(), let has = reader.number(), let value = reader.list() else {
        return false
      }
      head.selected.append(SelectedValue(name: name, value: has == 0 ? nil : value))
    }
    guard let tags = reader.number(), (0...Int64(ResponseFacts.tagsMax)).contains(tags) else { return false }
    for _ in 0..<tags {
      guard let tag = reader.list() else { return false }
      head.tags.append(tag)
    }
    return true
  }

  /// So that sums of them do not overflow, whatever stands in a file.
  private static func bounded(_ seconds: Int64) -> Int64 { min(max(seconds, 0), DeltaSeconds.max) }
}

private struct DiskWriter {
  var bytes: [UInt8] = []

  mutating func put(_ number: UInt32) {
    for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: number >> UInt32(shift * 8))) }
  }

  mutating func put(_ number: Int64) {
    put(UInt32(truncatingIfNeeded: number))
    put(UInt32(truncatingIfNeeded: number >> 32))
  }

  mutating func put(_ list: [UInt8]) {
    put(UInt32(list.count))
    bytes += list
  }
}

private struct DiskReader: ~Escapable {
  private let bytes: Span<UInt8>
  private var position = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func take(_ count: Int) -> [UInt8]? {
    guard count >= 0, count <= bytes.count - position else { return nil }
    var copy: [UInt8] = []
    copy.reserveCapacity(count)
    for index in position..<position + count { copy.append(bytes[index]) }
    position += count
    return copy
  }

  mutating func word() -> UInt32? {
    guard bytes.count - position >= 4 else { return nil }
    var number: UInt32 = 0
    for index in 0..<4 { number |= UInt32(bytes[position + index]) << UInt32(index * 8) }
    position += 4
    return number
  }

  mutating func number() -> Int64? {
    guard let low = word(), let high = word() else { return nil }
    return Int64(bitPattern: UInt64(high) << 32 | UInt64(low))
  }

  mutating func list() -> [UInt8]? {
    guard let count = word() else { return nil }
    return take(Int(count))
  }
}
