/// From lines and columns, as the YAML parser counts them, to places in a text.
enum TextPlaces {
  /// Counts as the parser does: `\r\n` is one line break, and so are U+0085, U+2028 and U+2029.
  struct Cursor {
    private(set) var position = Position(line: 1, column: 1)
    private var followsCarriageReturn = false

    mutating func advance(over scalar: Unicode.Scalar) {
      switch scalar {
      case "\n" where followsCarriageReturn: break
      case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
        position = Position(line: position.line + 1, column: 1)
      default: position.column += 1
      }
      followsCarriageReturn = scalar == "\r"
    }
  }

  static func index(of position: Position, in text: String) -> String.Index? {
    var cursor = Cursor()
    for index in text.unicodeScalars.indices {
      // After `\r`, the `\n` of the same break stands at the next line's first column.
      if cursor.position == position, text.unicodeScalars[index] != "\n" { return index }
      if cursor.position > position { return nil }
      cursor.advance(over: text.unicodeScalars[index])
    }
    return nil
  }

  static func scalar(at position: Position, in text: String) -> Unicode.Scalar? {
    index(of: position, in: text).map { text.unicodeScalars[$0] }
  }
}

/// Keys that stand twice in a mapping: the first of each is renamed, so that both can be reported.
struct RepeatedKeys {
  let firstMark: UInt32
  let countMax: Int
  /// The initial character of each renamed key, by the number of its mark.
  private var initials: [Unicode.Scalar] = []

  init(firstMark: UInt32, countMax: Int) {
    self.firstMark = firstMark
    self.countMax = countMax
  }

  /// `text` with the initial of the key at `position` replaced by a mark of its own; `nil` where
  /// the key is not written there as it reads, or after too many.
  mutating func rename(_ key: String, at position: Position, in text: String) -> String? {
    guard initials.count < countMax, let initial = key.unicodeScalars.first,
      let mark = Unicode.Scalar(firstMark + UInt32(initials.count)),
      var start = TextPlaces.index(of: position, in: text)
    else { return nil }
    let scalars = text.unicodeScalars
    if scalars[start] == "\"" || scalars[start] == "'" { start = scalars.index(after: start) }
    guard text[start...].unicodeScalars.starts(with: key.unicodeScalars) else { return nil }
    initials.append(initial)
    var renamed = String.UnicodeScalarView(scalars[..<start])
    renamed.append(mark)
    renamed.append(contentsOf: scalars[scalars.index(after: start)...])
    return String(renamed)
  }

  /// The key as it was written.
  func original(_ key: String) -> String {
    guard !initials.isEmpty, let first = key.unicodeScalars.first, first.value >= firstMark,
      Int(first.value - firstMark) < initials.count
    else { return key }
    var scalars = String.UnicodeScalarView()
    scalars.append(initials[Int(first.value - firstMark)])
    scalars.append(contentsOf: key.unicodeScalars.dropFirst())
    return String(scalars)
  }
}
