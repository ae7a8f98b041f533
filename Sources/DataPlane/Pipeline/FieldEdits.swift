import HTTPCodec

/// What plugins change of a head's fields: names whose lines do not go on, and lines that are added.
struct FieldEdits {
  /// `name: value` and CRLF each.
  private(set) var lines: [UInt8] = []
  /// Names in lower case, each behind its length.
  private var dropped: [UInt8] = []
  /// Bits of these names: most fields are seen not to be one of them at once.
  private var mask: UInt64 = 0

  @inline(__always) var isEmpty: Bool { lines.isEmpty && dropped.isEmpty }
  @inline(__always) var dropsAny: Bool { !dropped.isEmpty }

  mutating func removeAll() {
    // To empty what is empty costs as much as to fill it.
    if !lines.isEmpty { lines.removeAll(keepingCapacity: true) }
    if dropped.isEmpty { return }
    dropped.removeAll(keepingCapacity: true)
    mask = 0
  }

  /// One of 64 for a name. `_` counts as `-`.
  @inline(__always) static func bit(count: Int, last: UInt8) -> UInt64 {
    let last = last == UInt8(ascii: "_") ? UInt8(ascii: "-") : last.asciiLowercased
    return 1 << UInt64((count &* 7 &+ Int(last)) & 63)
  }

  /// Adds to ``lines``.
  mutating func edit(_ body: (inout [UInt8]) -> Void) { body(&lines) }

  /// - lines: As in ``lines``.
  mutating func add(_ lines: [UInt8]) { self.lines += lines }

  mutating func add(_ name: String, _ value: [UInt8]) {
    lines += name.utf8
    lines.append(UInt8(ascii: ":"))
    lines.append(UInt8(ascii: " "))
    lines += value
    lines.append(13)
    lines.append(10)
  }

  /// Fields of this name do not go on, nor lines that were added before.
  /// - name: In lower case, at most 255 bytes.
  mutating func drop(_ name: [UInt8]) {
    guard let count = UInt8(exactly: name.count) else { return }
    if !lines.isEmpty { dropLines(name) }
    mask |= Self.bit(count: name.count, last: name.last ?? 0)
    dropped.append(count)
    dropped += name
  }

  /// The same for several at once.
  mutating func drop(_ names: FieldNames) {
    if !lines.isEmpty {
      for name in names.names { dropLines(name) }
    }
    mask |= names.edits.mask
    dropped += names.edits.dropped
  }

  private mutating func dropLines(_ name: [UInt8]) {
    var start = 0
    while start < lines.count {
      let end = (lines[start...].firstIndex(of: 10) ?? lines.count - 1) + 1
      let isNamed =
        lines.count > start + name.count && lines[start + name.count] == UInt8(ascii: ":")
        && zip(lines[start..<start + name.count], name).allSatisfy { $0.asciiLowercased == $1 }
      if isNamed { lines.removeSubrange(start..<end) } else { start = end }
    }
  }

  /// Lines without those of fields that do not go on.
  func kept(of lines: [UInt8]) -> [UInt8] {
    if dropped.isEmpty { return lines }
    var kept = FieldEdits()
    kept.add(lines)
    var position = 0
    while position < dropped.count {
      let end = position + 1 + Int(dropped[position])
      kept.dropLines(Array(dropped[position + 1..<end]))
      position = end
    }
    return kept.lines
  }

  /// Whether fields of a name do not go on.
  /// - name: In lower case.
  func drops(_ name: [UInt8]) -> Bool {
    var position = 0
    while position < dropped.count {
      let count = Int(dropped[position])
      position += 1
      if count == name.count, dropped[position..<position + count].elementsEqual(name) { return true }
      position += count
    }
    return false
  }

  /// Whether there is a line of a name.
  /// - name: In lower case.
  static func has(_ name: [UInt8], in lines: [UInt8]) -> Bool {
    lines.split(separator: 10).contains { line in
      line.count > name.count && line[line.startIndex + name.count] == UInt8(ascii: ":")
        && zip(line, name).allSatisfy { $0.asciiLowercased == $1 }
    }
  }

  static let contentType = Array("content-type".utf8)
  static let retryAfter = Array("retry-after".utf8)

  /// Whether fields of a name do not go on. `_` counts as `-`: some servers read both alike.
  func drops(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    if name.range.isEmpty { return false }
    if mask & Self.bit(count: name.range.count, last: bytes[name.end - 1]) == 0 { return false }
    return isDropped(name, in: bytes)
  }

  private func isDropped(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    var position = 0
    while position < dropped.count {
      let count = Int(dropped[position])
      if count == name.range.count, isSame(name, in: bytes, as: position + 1) { return true }
      position += 1 + count
    }
    return false
  }

  private func isSame(_ name: ByteRange, in bytes: Span<UInt8>, as start: Int) -> Bool {
    for (offset, index) in name.range.enumerated() {
      let byte = bytes[index].asciiLowercased
      let wanted = dropped[start + offset]
      if byte == wanted { continue }
      guard byte == UInt8(ascii: "_"), wanted == UInt8(ascii: "-") else { return false }
    }
    return true
  }
}
