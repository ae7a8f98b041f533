/// Changes of a body's keys, for what is kept apart from it.
extension ResourceBody {
  /// Without some keys of the outermost mapping.
  public func removing(_ keys: Set<String>) -> ResourceBody {
    guard case .mapping(let entries) = node.content else { return self }
    return ResourceBody(YAMLNode(.mapping(entries.filter { !keys.contains($0.key) }), at: node.position))
  }

  /// With another key of the outermost mapping, whose value is a text; one of its name is replaced.
  public func adding(_ key: String, _ text: String) -> ResourceBody {
    guard case .mapping(let entries) = removing([key]).node.content else { return self }
    let value = YAMLNode(.scalar(text, isPlain: false), at: node.position)
    let entry = YAMLNode.Entry(key: key, keyPosition: node.position, value: value)
    return ResourceBody(YAMLNode(.mapping(entries + [entry]), at: node.position))
  }
}
