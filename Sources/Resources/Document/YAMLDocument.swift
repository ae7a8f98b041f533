import Yams

/// What makes a text unreadable as one YAML document.
struct YAMLFailure: Error {
  var position: Position
  var message: String
  var hint: String?
}

/// Reads one YAML document into nodes with places.
///
/// Yams does the parsing, with two of its habits worked around by a substitution in the text that
/// keeps every column:
/// - It expands aliases as it reads, and hashes every key: a few lines of nested aliases would
///   stop the process. Each `*` is replaced by ``aliasMark`` before, so that an alias arrives as
///   plain text and is resolved here, under a limit.
/// - It gives up at the first repeated key and does not say where the second is. The first one's
///   initial character is replaced by a mark and the text is read again.
enum YAMLDocument {
  /// A file of 10,000 routes has about 2 MiB; 64 MiB is room for a million simple ones.
  static let bytesMax = 64 << 20
  /// Repeated keys that are all reported; the text is read again for each.
  static let repeatedKeysMax = 16

  /// Stands for `*`. The last plane of private characters is refused in files, so it is free.
  static let aliasMark: Unicode.Scalar = "\u{10FFFD}"
  private static let keyMarkFirst: UInt32 = 0x10_0000

  /// The root node; throws where the text is not one YAML document.
  static func parse(_ text: String) throws(YAMLFailure) -> YAMLNode {
    guard text.utf8.count <= bytesMax else {
      throw YAMLFailure(
        position: Position(line: 1, column: 1),
        message: "the file has \(text.utf8.count) bytes, more than the \(bytesMax) allowed")
    }
    var source = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    try checkCharacters(of: source)
    if source.utf8.contains(0x2A) { source = replacingStars(in: source) }
    var keys = RepeatedKeys(firstMark: keyMarkFirst, countMax: repeatedKeysMax)
    while true {
      do throws(Outcome) {
        return try parse(source, keys: keys)
      } catch {
        switch error {
        case .failed(let failure): throw failure
        case .repeatedKey(let key, let position):
          guard let renamed = keys.rename(key, at: position, in: source) else {
            throw YAMLFailure(position: position, message: "the key \(quoted(restored(key))) is repeated")
          }
          source = renamed
        }
      }
    }
  }

  /// `text` with the stars that were replaced before parsing.
  static func restored(_ text: String) -> String {
    guard text.utf8.contains(0xF4) else { return text }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { scalars.append(scalar == aliasMark ? "*" : scalar) }
    return String(scalars)
  }

  private enum Outcome: Error {
    case repeatedKey(String, Position)
    case failed(YAMLFailure)
  }

  private static func parse(_ source: String, keys: RepeatedKeys) throws(Outcome) -> YAMLNode {
    let root: Node?
    let second: Node?
    let parser: Parser
    do {
      parser = try Parser(yaml: source, resolver: .basic, encoding: .utf8)
      root = try parser.nextRoot()
      second = root == nil ? nil : try parser.nextRoot()
    } catch let error as YamlError {
      throw outcome(of: error, in: source)
    } catch {
      throw .failed(YAMLFailure(position: Position(line: 1, column: 1), message: "\(error)"))
    }
    if let second {
      throw .failed(
        YAMLFailure(
          position: Position(second.mark), message: "a second document begins here",
          hint: "a configuration is one document; remove the \"---\""))
    }
    guard let root, !isEmpty(root) else {
      throw .failed(
        YAMLFailure(
          position: Position(line: 1, column: 1), message: "the file is empty",
          hint: "it needs at least listeners: [{name: web, address: \":8080\"}]"))
    }
    do {
      var builder = YAMLNodeBuilder(keys: keys)
      let node = try builder.build(root)
      // Anchors are weak references into the parser.
      withExtendedLifetime(parser) {}
      return node
    } catch {
      throw .failed(error)
    }
  }

  private static func isEmpty(_ root: Node) -> Bool {
    guard case .scalar(let scalar) = root else { return false }
    return scalar.style == .plain && scalar.string.isEmpty
  }

  private static func replacingStars(in text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { scalars.append(scalar == "*" ? aliasMark : scalar) }
    return String(scalars)
  }

  private static func outcome(of error: YamlError, in source: String) -> Outcome {
    switch error {
    case .duplicatedKeysInMapping(let duplicates, let context):
      return .repeatedKey(duplicates.first ?? "", Position(context.mark))
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      return .failed(syntaxFailure(problem, context: context, at: Position(mark), in: source))
    case .reader(let problem, _, _, _):
      return .failed(YAMLFailure(position: Position(line: 1, column: 1), message: problem))
    default:
      return .failed(YAMLFailure(position: Position(line: 1, column: 1), message: "\(error)"))
    }
  }

  private static func syntaxFailure(
    _ problem: String, context: YamlError.Context?, at position: Position, in source: String
  ) -> YAMLFailure {
    var message = "not YAML: " + problem
    if let context, !context.text.isEmpty, Position(context.mark) != position {
      message += " (\(context.text) that begins at \(context.mark.line):\(context.mark.column))"
    }
    var hint: String?
    switch TextPlaces.scalar(at: position, in: source) {
    case "\t": hint = "indent with spaces, not with tabs"
    case "@", "`", "%": hint = "put a text that begins with this character in quotes"
    default: break
    }
    return YAMLFailure(position: position, message: message, hint: hint)
  }

  /// Characters that YAML forbids, and those that stand for something here.
  private static func checkCharacters(of text: String) throws(YAMLFailure) {
    let allowed: (UInt8) -> Bool = { byte in
      byte >= 0x20 ? byte != 0x7F && byte != 0xF4 : byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
    guard !text.utf8.allSatisfy(allowed) else { return }
    var place = TextPlaces.Cursor()
    for scalar in text.unicodeScalars {
      if !scalar.utf8.allSatisfy(allowed) {
        let code = String(scalar.value, radix: 16, uppercase: true)
        let digits = String(repeating: "0", count: max(0, 4 - code.count)) + code
        throw YAMLFailure(
          position: place.position, message: "the character U+\(digits) is not allowed",
          hint: scalar.value < 0x80 ? "write it as an escape in a quoted text" : nil)
      }
      place.advance(over: scalar)
    }
  }
}

extension Position {
  init(_ mark: Mark?) {
    self.init(line: mark?.line ?? 1, column: mark?.column ?? 1)
  }
}
