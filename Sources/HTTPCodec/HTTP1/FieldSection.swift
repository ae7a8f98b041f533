/// Scans field lines (RFC 9112 §5) in one pass, for heads and for trailers.
enum FieldSection {
  /// What ``scan(_:from:fieldsMax:into:_:)`` returns when the bytes end before the section does.
  static let incomplete = -1

  /// Appends the fields from `start` and tells `meaning` of each that has one.
  ///
  /// Returns the index after the empty line.
  @inline(__always)
  static func scan(
    _ bytes: Span<UInt8>, from start: Int, fieldsMax: Int, into fields: inout [Field],
    _ meaning: inout FieldMeaning
  ) throws(HTTP1Error) -> Int {
    var position = start
    while true {
      let nameStart = position
      position = endOfName(bytes, from: position)
      guard position < bytes.count else { return incomplete }
      guard bytes[position] == ASCII.colon, position != nameStart else {
        if position == nameStart, bytes[position] == ASCII.carriageReturn {
          guard position &+ 1 < bytes.count else { return incomplete }
          guard bytes[position &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
          return position &+ 2
        }
        throw nameError(bytes[position], atLineStart: position == nameStart, isFirst: nameStart == start)
      }
      guard fields.count < fieldsMax else { throw .tooManyFields }
      let name = ByteRange(start: nameStart, count: position &- nameStart)
      position &+= 1
      while position < bytes.count, CharacterClass.isBlank(bytes[position]) { position &+= 1 }
      let valueStart = position
      position = endOfLine(bytes, from: position)
      guard position &+ 1 < bytes.count else {
        if position < bytes.count, bytes[position] != ASCII.carriageReturn {
          throw lineError(bytes[position])
        }
        return incomplete
      }
      guard bytes[position] == ASCII.carriageReturn, bytes[position &+ 1] == ASCII.lineFeed else {
        throw lineError(bytes[position])
      }
      var valueEnd = position
      while valueEnd > valueStart, CharacterClass.isBlank(bytes[valueEnd &- 1]) { valueEnd &-= 1 }
      position &+= 2

      let known = KnownField.named(bytes, at: nameStart, count: Int(name.count))
      let value = ByteRange(start: valueStart, count: valueEnd &- valueStart)
      fields.append(Field(name: name, value: value, known: known))
      if known != .other { try meaning.note(known, value, in: bytes) }
    }
  }

  /// Parses one line of a section that is known to be complete, and moves past it.
  static func line(
    _ bytes: Span<UInt8>, from position: inout Int, isFirst: Bool
  ) throws(HTTP1Error) -> Field {
    let nameStart = position
    let colon = endOfName(bytes, from: nameStart)
    guard colon < bytes.count else { throw .invalidFieldName }
    guard bytes[colon] == ASCII.colon, colon > nameStart else {
      throw nameError(bytes[colon], atLineStart: colon == nameStart, isFirst: isFirst)
    }
    let end = endOfLine(bytes, from: colon &+ 1)
    guard end &+ 1 < bytes.count, bytes[end] == ASCII.carriageReturn, bytes[end &+ 1] == ASCII.lineFeed
    else { throw end < bytes.count ? lineError(bytes[end]) : .bareCarriageReturn }
    position = end &+ 2
    return Field(
      name: ByteRange(start: nameStart, count: colon &- nameStart),
      value: bytes.trimmed(ByteRange(start: colon &+ 1, count: end &- colon &- 1)),
      known: .named(bytes, at: nameStart, count: colon &- nameStart))
  }

  /// The index of the first byte that is not a token character, or `bytes.count`.
  ///
  /// Eight bytes at once as long as they are letters, digits and hyphens, as in most names.
  @inline(__always)
  static func endOfName(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while let word = bytes.word(at: position) {
      let marks = Word.notNamePart(word)
      guard marks != 0 else {
        position &+= 8
        continue
      }
      position &+= Word.firstIndex(marks)
      if bytes[position] == ASCII.colon { return position }
      break
    }
    while position < bytes.count, CharacterClass.isToken(bytes[position]) { position &+= 1 }
    return position
  }

  /// The index of the first control character other than a tab, or `bytes.count`.
  @inline(__always)
  static func endOfLine(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while let word = bytes.word(at: position) {
      let marks = Word.less(word, than: ASCII.space) | Word.equal(word, to: ASCII.delete)
      guard marks != 0 else {
        position &+= 8
        continue
      }
      position &+= Word.firstIndex(marks)
      guard bytes[position] == ASCII.tab else { return position }
      position &+= 1
    }
    while position < bytes.count {
      let byte = bytes[position]
      guard byte >= ASCII.space && byte != ASCII.delete || byte == ASCII.tab else { return position }
      position &+= 1
    }
    return position
  }

  /// Why the byte where a name or a colon should be is neither.
  @inline(never)
  private static func nameError(_ byte: UInt8, atLineStart: Bool, isFirst: Bool) -> HTTP1Error {
    switch byte {
    case ASCII.space, ASCII.tab:
      atLineStart ? (isFirst ? .leadingWhiteSpace : .foldedLine) : .whiteSpaceBeforeColon
    case ASCII.colon: .emptyFieldName
    case ASCII.carriageReturn: .invalidFieldName
    case ASCII.lineFeed: .bareLineFeed
    default: .invalidFieldName
    }
  }

  /// Why a line must not end, or go on, with this control character.
  @inline(never)
  static func lineError(_ byte: UInt8) -> HTTP1Error {
    switch byte {
    case ASCII.carriageReturn: .bareCarriageReturn
    case ASCII.lineFeed: .bareLineFeed
    default: .controlCharacter
    }
  }
}
