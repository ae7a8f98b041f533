import Yams

/// Turns what Yams parsed into nodes with places, resolving aliases and merge keys.
struct YAMLNodeBuilder {
  /// What aliases of one document may stand for together, in nodes: enough for a shared block in
  /// each of 10,000 routes, far from exhausting memory.
  static let aliasedNodesMax = 1_000_000
  /// A configuration is seven levels deep.
  static let depthMax = 64

  private let keys: RepeatedKeys
  private var anchors: [String: YAMLNode] = [:]
  private var aliasedNodes = 0

  init(keys: RepeatedKeys) {
    self.keys = keys
  }

  mutating func build(_ node: Node, depth: Int = 0) throws(YAMLFailure) -> YAMLNode {
    let position = Position(node.mark)
    guard depth < Self.depthMax else {
      throw YAMLFailure(position: position, message: "nested deeper than \(Self.depthMax) levels")
    }
    let built: YAMLNode
    switch node {
    case .scalar(let scalar):
      try check(tag: scalar.tag, at: position)
      if let alias = try alias(scalar, at: position) { return alias }
      built = YAMLNode(
        .scalar(YAMLDocument.restored(scalar.string), isPlain: scalar.style == .plain), at: position)
    case .sequence(let sequence):
      try check(tag: sequence.tag, at: position)
      var items: [YAMLNode] = []
      items.reserveCapacity(sequence.count)
      for item in sequence { items.append(try build(item, depth: depth + 1)) }
      built = YAMLNode(.sequence(items), at: position)
    case .mapping(let mapping):
      try check(tag: mapping.tag, at: position)
      built = YAMLNode(.mapping(try entries(of: mapping, depth: depth)), at: position)
    case .alias:
      throw YAMLFailure(position: position, message: "an alias in an unexpected place")
    }
    if let anchor = node.anchor { anchors[anchor.rawValue] = built }
    return built
  }

  private mutating func entries(
    of mapping: Node.Mapping, depth: Int
  ) throws(YAMLFailure) -> [YAMLNode.Entry] {
    var entries: [YAMLNode.Entry] = []
    entries.reserveCapacity(mapping.count)
    var merged: [YAMLNode] = []
    for (keyNode, valueNode) in mapping {
      let position = Position(keyNode.mark)
      guard case .scalar(let text, let isPlain) = try build(keyNode, depth: depth + 1).content else {
        throw YAMLFailure(position: position, message: "a key has to be a text")
      }
      let value = try build(valueNode, depth: depth + 1)
      if isPlain, text == "<<" {
        merged += try mergedMappings(value, at: position)
      } else {
        entries.append(YAMLNode.Entry(key: keys.original(text), keyPosition: position, value: value))
      }
    }
    return merged.isEmpty ? entries : merging(merged, into: entries)
  }

  /// Keys of its own win over merged ones, earlier merged mappings over later ones.
  private func merging(_ merged: [YAMLNode], into entries: [YAMLNode.Entry]) -> [YAMLNode.Entry] {
    var entries = entries
    var names = Set(entries.map(\.key))
    for mapping in merged {
      guard case .mapping(let others) = mapping.content else { continue }
      for other in others where names.insert(other.key).inserted { entries.append(other) }
    }
    return entries
  }

  /// The value of `<<`: a mapping or a sequence of mappings.
  private func mergedMappings(_ value: YAMLNode, at position: Position) throws(YAMLFailure) -> [YAMLNode] {
    let candidates: [YAMLNode] = if case .sequence(let items) = value.content { items } else { [value] }
    for candidate in candidates {
      guard case .mapping = candidate.content else {
        throw YAMLFailure(position: position, message: "\"<<\" takes a mapping, or a list of mappings")
      }
    }
    return candidates
  }

  /// The node that an alias stands for; `nil` for other scalars.
  private mutating func alias(
    _ scalar: Node.Scalar, at position: Position
  ) throws(YAMLFailure) -> YAMLNode? {
    guard scalar.style == .plain, scalar.string.unicodeScalars.first == YAMLDocument.aliasMark else {
      return nil
    }
    let name = String(scalar.string.unicodeScalars.dropFirst())
    guard !name.isEmpty, name.unicodeScalars.allSatisfy(isAnchorCharacter) else {
      throw YAMLFailure(
        position: position, message: "a text that begins with \"*\" has to be in quotes",
        hint: "write \(quoted(YAMLDocument.restored(scalar.string)))")
    }
    guard let node = anchors[name] else {
      throw YAMLFailure(
        position: position, message: "no anchor \"&\(name)\" before this alias",
        hint: Suggestion.nearest(to: name, among: anchors.keys.sorted()).map { "did you mean \"*\($0)\"?" })
    }
    aliasedNodes += min(node.expandedCount, Self.aliasedNodesMax + 1)
    guard aliasedNodes <= Self.aliasedNodesMax else {
      throw YAMLFailure(
        position: position,
        message: "the aliases up to here stand for more than \(Self.aliasedNodesMax) nodes")
    }
    return node
  }

  private func isAnchorCharacter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
    default: false
    }
  }

  /// Types come from the vocabulary, so a tag can only contradict it.
  private func check(tag: Tag, at position: Position) throws(YAMLFailure) {
    let name = tag.rawValue
    switch name {
    case "", "!", Tag.Name.str.rawValue, Tag.Name.seq.rawValue, Tag.Name.map.rawValue: return
    default:
      throw YAMLFailure(
        position: position, message: "the tag \(quoted(name)) is not supported", hint: "remove it")
    }
  }
}
