/// A place in a file; both count from 1, columns in Unicode scalars.
struct Position: Equatable, Comparable, Sendable {
  var line: Int
  var column: Int

  static func < (a: Position, b: Position) -> Bool {
    (a.line, a.column) < (b.line, b.column)
  }
}

/// A node of a YAML or JSON document with its place. Aliases share the node of their anchor, so an
/// error in it points to where it is written.
final class YAMLNode: Sendable {
  enum Content: Sendable {
    /// Text as written; types are the reader's business, so that `off` and `2` need no quotes.
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    case mapping([Entry])
  }

  struct Entry: Sendable {
    var key: String
    var keyPosition: Position
    var value: YAMLNode
  }

  let content: Content
  let position: Position
  /// Nodes in this one, itself included, each alias counted as all that it stands for.
  let expandedCount: Int

  init(_ content: Content, at position: Position) {
    self.content = content
    self.position = position
    let children: Int =
      switch content {
      case .scalar: 0
      case .sequence(let items): items.reduce(0) { $0.addingSaturated($1.expandedCount) }
      case .mapping(let entries): entries.reduce(0) { $0.addingSaturated($1.value.expandedCount) }
      }
    expandedCount = children.addingSaturated(1)
  }
}

extension YAMLNode {
  /// JSON's `null`, YAML's words for it, and nothing at all.
  var isNull: Bool {
    guard case .scalar(let text, isPlain: true) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }
}

extension Int {
  /// Nested aliases double a count with every line; it must not overflow.
  fileprivate func addingSaturated(_ other: Int) -> Int {
    let (sum, overflowed) = addingReportingOverflow(other)
    return overflowed ? .max : sum
  }
}
