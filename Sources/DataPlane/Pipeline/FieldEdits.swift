import HTTPCodec
import Runtime

/// What plugins change of a head's fields: names whose lines do not go on, and lines that are added.
///
/// Reused with its exchange: to say the same of the next request allocates nothing.
final class FieldEdits {
  /// What is kept between two requests: the usual lines and names fit.
  private static let linesBytes = 512
  private static let droppedBytes = 256

  /// `name: value` and CRLF each.
  let lines = Buffer(capacity: linesBytes)
  /// As ``PackedNames`` has them.
  private let dropped = Buffer(capacity: droppedBytes)
  /// Bits of these names: most fields are seen not to be one of them at once.
  private var mask: UInt64 = 0

  @inline(__always) var isEmpty: Bool { lines.isEmpty && mask == 0 }
  @inline(__always) var dropsAny: Bool { mask != 0 }

  func removeAll() {
    lines.reset(to: Self.linesBytes)
    if mask == 0 { return }
    dropped.reset(to: Self.droppedBytes)
    mask = 0
  }

  /// - lines: As in ``lines``.
  func add(_ lines: [UInt8]) { self.lines.append(lines) }

  func add(_ name: StaticString, _ value: [UInt8]) {
    lines.append(name)
    lines.append(": ")
    lines.append(value)
    lines.append("\r\n")
  }

  /// Fields of this name do not go on, nor lines that were added before.
  /// - name: In lower case, at most 255 bytes.
  func drop(_ name: [UInt8]) {
    guard let count = UInt8(exactly: name.count), let last = name.last else { return }
    let start = dropped.count
    dropped.append(count)
    dropped.append(name)
    mask |= PackedNames.bit(count: name.count, last: last)
    if !lines.isEmpty { dropLines(from: start) }
  }

  /// The same for several at once.
  func drop(_ names: FieldNames) {
    let start = dropped.count
    dropped.append(names.packed)
    mask |= names.mask
    if !lines.isEmpty { dropLines(from: start) }
  }

  /// Takes the lines out whose names are among those that were added last.
  private func dropLines(from start: Int) {
    let lines = lines
    let dropped = dropped
    var cursor = LineCursor()
    while true {
      let lineStart = cursor.position
      guard let field = cursor.next(in: lines.bytes) else { return }
      let names = dropped.bytes.extracting(start..<dropped.count)
      guard PackedNames.contains(field.name, in: lines.bytes, names: names) else { continue }
      lines.removeBytes(lineStart..<cursor.position)
      cursor = LineCursor(at: lineStart)
    }
  }

  /// Lines without those of fields that do not go on.
  func kept(of lines: [UInt8]) -> [UInt8] {
    if mask == 0 { return lines }
    let dropped = dropped
    var kept: [UInt8] = []
    var cursor = LineCursor()
    while let field = cursor.next(in: lines.span) {
      if PackedNames.contains(field.name, in: lines.span, names: dropped.bytes) { continue }
      kept += lines[Int(field.name.start)..<cursor.position]
    }
    return kept
  }

  /// Whether fields of a name do not go on.
  /// - name: In lower case.
  func drops(_ name: [UInt8]) -> Bool {
    let dropped = dropped
    return PackedNames.contains(
      ByteRange(start: 0, count: name.count), in: name.span, names: dropped.bytes)
  }

  /// Whether there is a line of a name.
  /// - name: In lower case.
  static func has(_ name: [UInt8], in lines: [UInt8]) -> Bool {
    var cursor = LineCursor()
    while let field = cursor.next(in: lines.span) {
      if lines.span.equalsIgnoringCase(field.name, lowercase: name) { return true }
    }
    return false
  }

  static let contentType = Array("content-type".utf8)
  static let retryAfter = Array("retry-after".utf8)

  /// Whether fields of a name do not go on. `_` counts as `-`: some servers read both alike.
  @inline(__always)
  func drops(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    if name.isEmpty || mask & PackedNames.bit(of: name, in: bytes) == 0 { return false }
    let dropped = dropped
    return PackedNames.mayMean(name, in: bytes, names: dropped.bytes)
  }

  // MARK: As they were

  /// A copy, for where another response may take the place of one that was edited.
  struct Copy {
    fileprivate let lines: [UInt8]
    fileprivate let dropped: [UInt8]
    fileprivate let mask: UInt64
  }

  var copy: Copy {
    Copy(lines: lines.copy(0..<lines.count), dropped: dropped.copy(0..<dropped.count), mask: mask)
  }

  func restore(_ copy: Copy) {
    removeAll()
    lines.append(copy.lines)
    dropped.append(copy.dropped)
    mask = copy.mask
  }
}
