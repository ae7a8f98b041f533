extension ResourceBody {
  /// What stands in a body, for those who show it or look for something in it. What it means is left to
  /// the readers of resources.
  public enum Content: Sendable {
    /// A word: as it is written. Numbers, `true` and `null` are words without quotes.
    case scalar(String, isQuoted: Bool)
    case list([ResourceBody])
    /// In their order; a repeated key stands twice.
    case mapping([Member])
  }

  public struct Member: Sendable {
    public var key: String
    public var value: ResourceBody
  }

  public var content: Content {
    switch node.content {
    case .scalar(let text, let isPlain): .scalar(text, isQuoted: !isPlain)
    case .sequence(let items): .list(items.map(ResourceBody.init))
    case .mapping(let entries):
      .mapping(entries.map { Member(key: $0.key, value: ResourceBody($0.value)) })
    }
  }

  /// The value of a mapping's key, the first where it is repeated; nil elsewhere.
  public subscript(key: String) -> ResourceBody? {
    guard case .mapping(let entries) = node.content else { return nil }
    return entries.first { $0.key == key }.map { ResourceBody($0.value) }
  }

  /// Where it begins in its text.
  public var position: SourcePosition { SourcePosition(node.position) }

  /// Where `field` begins, as problems name it (`backends[0].service`); where there is none, what is
  /// nearest to it: a field that is missing would stand in its parent.
  public func position(of field: String) -> SourcePosition {
    SourcePosition(FieldPlace(field, in: node).node.position)
  }
}
