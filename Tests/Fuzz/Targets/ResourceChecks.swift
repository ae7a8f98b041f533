import Resources

/// Resources as the admin API takes them. The first octet says which kind, and whether the rest is JSON or
/// YAML.
///
/// - A document that was read comes back the same from its JSON.
/// - A resource that was read comes back equal from its JSON and from its YAML.
/// - A merge patch that changes nothing changes nothing, and the reader of transactions takes anything.
enum ResourceChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    guard let options = input.first else { return }
    let bytes = Array(input.dropFirst())
    let kind = ResourceKind.allCases[Int(options) % ResourceKind.allCases.count]
    guard let body = body(bytes, isJSON: options & 4 == 0) else { return }
    try checkDocument(body)
    _ = try? TransactionReader.read(body)
    let id = ResourceID(kind, "name")
    guard let resource = read(id, body) else { return }
    for again in [try? ResourceBody(json: Array(resource.json.utf8)), try? ResourceBody(yaml: resource.yaml)]
    {
      guard let again else { throw BrokenProperty("what was written cannot be read: \(resource.json)") }
      try require(
        read(id, again) == resource, "\(resource.json) comes back as \(read(id, again)?.json ?? "nothing")")
    }
  }

  private static func body(_ bytes: [UInt8], isJSON: Bool) -> ResourceBody? {
    if isJSON { return try? ResourceBody(json: bytes) }
    return String(validating: bytes, as: UTF8.self).flatMap { try? ResourceBody(yaml: $0) }
  }

  private static func read(_ id: ResourceID, _ body: ResourceBody) -> Resource? {
    try? ResourceReader.read(id, body, folder: "")
  }

  private static func checkDocument(_ body: ResourceBody) throws(BrokenProperty) {
    let json = body.json
    guard let again = try? ResourceBody(json: Array(json.utf8)) else {
      throw BrokenProperty("what was written cannot be read: \(json)")
    }
    try require(again.json == json, "\(json) comes back as \(again.json)")
    if let nothing = try? ResourceBody(json: Array("{}".utf8)), case .mapping = body.content {
      try require(body.merged(with: nothing).json == json, "an empty patch changes \(json)")
    }
  }
}
