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

extension ResourceBody {
  /// A consumer's merge patch with what is kept of the credentials that it brings, such as hashes of passwords:
  /// applying it takes no more time than applying any other.
  ///
  /// Throws what is wrong with these credentials. From any thread but a worker's: hashing takes a twentieth of a
  /// second.
  public func keepingCredentials(
    of id: ResourceID, folder: String, plugins: PluginCatalog
  ) throws(ResourceProblems) -> ResourceBody {
    guard let brought = value(of: "credentials"), case .mapping(let lists) = brought.content else {
      return self
    }
    let removed = lists.filter(\.value.isNull)
    guard removed.count < lists.count else { return self }
    let consumer = ResourceBody(
      YAMLNode(
        .mapping([
          .init(
            key: "credentials", keyPosition: brought.position,
            value: YAMLNode(.mapping(lists.filter { !$0.value.isNull }), at: brought.position))
        ]), at: node.position))
    let resource = try ResourceReader.read(id, consumer, folder: folder, plugins: plugins)
    guard let written = try? ResourceBody(json: Array(resource.json.utf8)),
      case .mapping(let kept)? = written.value(of: "credentials")?.content
    else { return self }
    // Lists that are empty now are not written: they take the place of what was there all the same.
    let names = Set(kept.map(\.key))
    let emptied = lists.filter { !$0.value.isNull && !names.contains($0.key) }
    return replacing("credentials", with: .mapping(removed + emptied + kept))
  }

  private func value(of key: String) -> YAMLNode? {
    guard case .mapping(let entries) = node.content else { return nil }
    return entries.first { $0.key == key }?.value
  }

  private func replacing(_ key: String, with content: YAMLNode.Content) -> ResourceBody {
    guard case .mapping(var entries) = node.content,
      let index = entries.firstIndex(where: { $0.key == key })
    else { return self }
    entries[index].value = YAMLNode(content, at: entries[index].value.position)
    return ResourceBody(YAMLNode(.mapping(entries), at: node.position))
  }
}
