/// What a request says about a resource, as far as it is a document: keys and values are not looked
/// at, and positions are kept for the errors of those who do.
///
/// Immutable. Pure, from any thread but a worker's.
public struct ResourceBody: Sendable {
  let node: YAMLNode

  init(_ node: YAMLNode) {
    self.node = node
  }

  /// One JSON text (RFC 8259) in UTF-8. The problem's message begins with line and column.
  public init(json: [UInt8]) throws(ResourceProblem) {
    do throws(YAMLFailure) {
      node = try JSONDocument.parse(json)
    } catch {
      throw ResourceProblem(error)
    }
  }

  /// One YAML document. The problem's message begins with line and column.
  public init(yaml: String) throws(ResourceProblem) {
    do throws(YAMLFailure) {
      node = try YAMLDocument.parse(yaml)
    } catch {
      throw ResourceProblem(error)
    }
  }

  /// Compact JSON that reads as the same node, keys in their order. Words and numbers that YAML has
  /// without quotes are JSON's where it has them too, and texts otherwise.
  public var json: String {
    var text = JSONText()
    Self.write(node, to: &text)
    return text.text
  }

  private static func write(_ node: YAMLNode, to text: inout JSONText) {
    switch node.content {
    case .scalar(let scalar, isPlain: true): text.plain(scalar)
    case .scalar(let scalar, isPlain: false): text.string(scalar)
    case .sequence(let items):
      text.byte(UInt8(ascii: "["))
      for index in items.indices {
        if index > 0 { text.byte(UInt8(ascii: ",")) }
        write(items[index], to: &text)
      }
      text.byte(UInt8(ascii: "]"))
    case .mapping(let entries):
      text.byte(UInt8(ascii: "{"))
      for index in entries.indices {
        if index > 0 { text.byte(UInt8(ascii: ",")) }
        text.string(entries[index].key)
        text.byte(UInt8(ascii: ":"))
        write(entries[index].value, to: &text)
      }
      text.byte(UInt8(ascii: "}"))
    }
  }

  /// This with the changes of a JSON merge patch (RFC 7396): mappings are merged, `null` removes,
  /// anything else replaces. Keys that the patch repeats stay repeated, so that they are reported.
  public func merged(with patch: ResourceBody) -> ResourceBody {
    ResourceBody(Self.merge(node, patch.node) ?? patch.node)
  }

  /// Nil where the patch is no mapping, and so replaces what is there.
  private static func merge(_ target: YAMLNode?, _ patch: YAMLNode) -> YAMLNode? {
    guard case .mapping(let changes) = patch.content else { return nil }
    var entries: [YAMLNode.Entry?] = []
    if case .mapping(let old)? = target?.content { entries = old }
    var places: [String: Int] = [:]
    for (place, entry) in entries.enumerated() {
      places[entry?.key ?? ""] = places[entry?.key ?? ""] ?? place
    }
    var changed: Set<String> = []
    for change in changes {
      let place = changed.insert(change.key).inserted ? places[change.key] : nil
      guard !change.value.isNull else {
        if let place { entries[place] = nil }
        continue
      }
      var entry = change
      entry.value = merge(place.flatMap { entries[$0]?.value }, change.value) ?? change.value
      if let place { entries[place] = entry } else { entries.append(entry) }
    }
    return YAMLNode(.mapping(entries.compactMap { $0 }), at: patch.position)
  }
}

extension ResourceProblem {
  init(_ failure: YAMLFailure) {
    self.init(
      nil, "\(failure.position.line):\(failure.position.column): \(failure.message)", hint: failure.hint)
  }
}
