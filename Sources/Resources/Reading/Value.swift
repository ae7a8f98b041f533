/// A value of the file while it is read: knows its place, reports what is wrong with it.
///
/// Every reading function answers `nil` after it has reported an error, and never reports twice.
struct Value {
  let node: YAMLNode
  let place: Place
  let diagnostics: Diagnostics

  func report(_ message: String, hint: String? = nil) {
    diagnostics.report(message, hint: hint, at: node.position, place: place)
  }

  /// "a text", "a list", … for messages about wrong types.
  private var kind: String {
    switch node.content {
    case .scalar: isNull ? "nothing" : "\(quoted(plainText ?? ""))"
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }

  /// Nothing was written after the key, or one of YAML's words for it.
  var isNull: Bool { node.isNull }

  /// The value of a key, without a report where there is none.
  func member(_ key: String) -> Value? {
    guard case .mapping(let entries) = node.content, let entry = entries.first(where: { $0.key == key })
    else { return nil }
    return Value(node: entry.value, place: .key(key, place), diagnostics: diagnostics)
  }

  /// The text of a scalar, without a report where it is none.
  var plainText: String? {
    guard case .scalar(let text, _) = node.content else { return nil }
    return text
  }

  var isMapping: Bool {
    guard case .mapping = node.content else { return false }
    return true
  }

  /// Whether the value is this word, such as `off`.
  func isWord(_ word: String) -> Bool { plainText == word }

  func reportWrongType(_ wanted: String, hint: String? = nil) {
    report("expected \(wanted), found \(kind)", hint: hint)
  }

  /// A text that is not empty.
  func text(_ wanted: String = "a text") -> String? {
    guard !isNull, let text = plainText else {
      reportWrongType(wanted)
      return nil
    }
    guard !text.isEmpty else {
      reportWrongType(wanted)
      return nil
    }
    return text
  }

  func items(_ wanted: String = "a list", hint: String? = nil) -> [Value]? {
    guard case .sequence(let nodes) = node.content else {
      reportWrongType(wanted, hint: hint)
      return nil
    }
    return nodes.indices.map { Value(node: nodes[$0], place: .index($0, place), diagnostics: diagnostics) }
  }

  /// `true` or `false`.
  func boolean() -> Bool? {
    switch plainText {
    case "true", "True", "TRUE": return true
    case "false", "False", "FALSE": return false
    default:
      let yes = ["on", "yes", "1"].contains(plainText?.lowercased())
      let no = ["off", "no", "0"].contains(plainText?.lowercased())
      reportWrongType("true or false", hint: yes ? "write true" : no ? "write false" : nil)
      return nil
    }
  }

  func integer(in range: ClosedRange<Int>) -> Int? {
    guard let text = plainText, let number = Int(text), !text.hasPrefix("+") else {
      let isHuge = plainText.map { $0.utf8.count > 18 && $0.utf8.allSatisfy(isDigit) } ?? false
      guard isHuge else {
        reportWrongType("a whole number")
        return nil
      }
      report(
        "\(quoted(plainText ?? "")) is out of range", hint: "from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    guard range.contains(number) else {
      report("\(number) is out of range", hint: "from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A number as in ``integer(in:)``, or the word `none`, which is a `nil` inside.
  func integerOrNone(in range: ClosedRange<Int>) -> Int?? {
    if isWord("none") { return .some(nil) }
    if plainText == "0", range.lowerBound > 0 {
      report("0 is out of range", hint: "write none for no limit")
      return nil
    }
    return integer(in: range).map(Optional.some)
  }

  func duration(allowsZero: Bool = false, longest: Duration = DurationText.longest) -> Duration? {
    guard let text = text("a duration such as 500ms, 2s or 1m30s") else { return nil }
    do throws(DurationText.Failure) {
      let duration = try DurationText.parse(text, longest: longest)
      guard allowsZero || duration > .zero else {
        report("has to be longer than zero")
        return nil
      }
      return duration
    } catch {
      switch error {
      case .unitMissing:
        report("the duration \(quoted(text)) has no unit", hint: "add one: \(text)s or \(text)ms")
      case .tooLong:
        report(
          "the duration \(quoted(text)) is out of range", hint: "at most \(DurationText.format(longest))")
      case .malformed:
        report(
          "\(quoted(text)) is not a duration",
          hint: "whole numbers with d, h, m, s or ms, such as 500ms, 2s or 1m30s")
      }
      return nil
    }
  }

  func size(in range: ClosedRange<UInt64>) -> UInt64? {
    guard let text = text("a size such as 16KiB") else { return nil }
    guard let bytes = SizeText.parse(text) else {
      report(
        "\(quoted(text)) is not a size", hint: "bytes, or a whole number with KiB, MiB, GiB, kB, MB or GB")
      return nil
    }
    guard range.contains(bytes) else {
      let bounds = "from \(SizeText.format(range.lowerBound)) to \(SizeText.format(range.upperBound))"
      report("\(quoted(text)) is out of range", hint: bounds)
      return nil
    }
    return bytes
  }

  /// `20%`.
  func percentage() -> Int? {
    guard let text = text("a percentage such as 20%") else { return nil }
    guard text.hasSuffix("%"), let number = Int(text.dropLast()), !text.hasPrefix("+") else {
      let isNumber = Int(text) != nil
      report("\(quoted(text)) is not a percentage", hint: isNumber ? "write \(text)%" : "such as 20%")
      return nil
    }
    guard (0...100).contains(number) else {
      report("\(quoted(text)) is out of range", hint: "from 0% to 100%")
      return nil
    }
    return number
  }

  /// The path of a file; a relative one begins at the configuration file's folder.
  func filePath(_ wanted: String) -> String? {
    guard let path = text(wanted) else { return nil }
    guard !path.utf8.contains(0) else {
      report("a path cannot contain NUL")
      return nil
    }
    if path.hasPrefix("/") || diagnostics.folder.isEmpty { return path }
    return diagnostics.folder + (diagnostics.folder.hasSuffix("/") ? "" : "/") + path
  }

  /// A feature's settings, or the word `off`.
  func override<T>(_ reading: (Value) -> T?) -> Override<T>? {
    isWord("off") ? .off : reading(self).map(Override.on)
  }

  /// One of a few words; `others` are only named, where a mapping would be right as well.
  func choice<T>(_ choices: [(word: String, value: T)], others: [String] = []) -> T? {
    guard let text = text("one of " + (choices.map(\.word) + others).joined(separator: ", ")) else {
      return nil
    }
    if let choice = choices.first(where: { $0.word == text }) { return choice.value }
    reportUnknown("value", text, among: choices.map(\.word) + others)
    return nil
  }

  /// `unknown value "x": did you mean "y"? (one of …)`
  func reportUnknown(_ what: String, _ text: String, among words: [String]) {
    let list = "one of " + words.joined(separator: ", ")
    let nearest = diagnostics.suggestion(for: text, among: words)
    report(
      "unknown \(what) \(quoted(text))", hint: nearest.map { "did you mean \(quoted($0))? (\(list))" } ?? list
    )
  }
}
