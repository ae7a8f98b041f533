/// Where a field of a resource is written.
struct FieldPlace {
  /// Of the field, or of the last on the way to it that is written.
  private(set) var node: YAMLNode
  /// As it is written: a route's only service may be `service` or `backends[0].service`.
  let field: String

  /// - field: `backends[0].service`; keys are those that the catalogue names, and so need no quotes.
  init(_ field: String, in resource: YAMLNode) {
    let isShort =
      field.hasPrefix("backends[0]") && resource.value(of: "backends") == nil
      && resource.value(of: "service") != nil
    self.field = isShort ? "service" : field
    node = resource
    for step in Self.steps(of: self.field) {
      guard let next = Self.follow(step, from: node) else { return }
      node = next
    }
  }

  private enum Step {
    case key(String)
    case index(Int)
  }

  private static func steps(of field: String) -> [Step] {
    field.split(whereSeparator: { $0 == "." || $0 == "[" }).map { part in
      if part.hasSuffix("]"), let index = Int(part.dropLast()) { return .index(index) }
      return .key(String(part))
    }
  }

  private static func follow(_ step: Step, from node: YAMLNode) -> YAMLNode? {
    switch step {
    case .key(let key): return node.value(of: key)
    case .index(let index):
      // An option's only item need not be a list.
      guard case .sequence(let items) = node.content else { return index == 0 ? node : nil }
      return index < items.count ? items[index] : nil
    }
  }
}

extension YAMLNode {
  /// The value of a key; nil where this is no mapping, or has no such key.
  fileprivate func value(of key: String) -> YAMLNode? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == key }?.value
  }
}
