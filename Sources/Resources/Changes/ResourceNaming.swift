extension ResourceBody {
  /// The body with the name that it is written under, where it holds none itself.
  ///
  /// A problem where it holds another name, or is no mapping. A repeated `name` stays, for readers to
  /// report.
  public func named(_ id: ResourceID) throws(ResourceProblem) -> ResourceBody {
    let entries = try checkName(id)
    guard !entries.contains(where: { $0.key == "name" }) else { return self }
    let name = YAMLNode.Entry(
      key: "name", keyPosition: node.position,
      value: YAMLNode(.scalar(id.name, isPlain: false), at: node.position))
    return ResourceBody(YAMLNode(.mapping([name] + entries), at: node.position))
  }

  /// The entries of a body that may be that of `id`, or a patch of it.
  @discardableResult
  func checkName(_ id: ResourceID) throws(ResourceProblem) -> [YAMLNode.Entry] {
    guard case .mapping(let entries) = node.content else {
      throw ResourceProblem(id, "expected a mapping with the keys of a \(id.kind.singular)")
    }
    for entry in entries where entry.key == "name" {
      guard case .scalar(let name, _) = entry.value.content, !entry.value.isNull else {
        throw ResourceProblem(id, field: "name", "expected the name \(quoted(id.name))")
      }
      if name != id.name {
        throw ResourceProblem(
          id, field: "name", "the name \(quoted(name)) is not that of \(id.description)",
          hint: "leave it out, or put a new resource under its own name")
      }
    }
    return entries
  }
}
