import Resources

/// Resources in the vocabulary of files, so that what was got can be edited and applied.
public enum ResourceListText {
  public static func yaml(_ resources: [RemoteResource], of kind: ResourceKind) -> String {
    var writer = YAMLText()
    writer.list(kind.rawValue, resources.map(\.body))
    return writer.text
  }

  public static func json(_ resources: [RemoteResource], of kind: ResourceKind) -> String {
    let document = JSONWriter.object { writer in
      writer.key(kind.rawValue)
      writer.list(resources) { $0.raw($1.body.json) }
    }
    // What was just written is JSON.
    guard let body = try? ResourceBody(json: document.bytes) else { return "" }
    return JSONLayout.text(body)
  }
}
