import Resources

/// What would be different about resources, as text.
public enum ResourceComparison {
  /// A unified difference of the two as YAML, empty where they mean the same.
  ///
  /// Short forms and left-out defaults are the same as what they stand for. A private key is never shown.
  public static func text(_ difference: ResourceVersions, names: (before: String, after: String)) -> String {
    let (before, after) = documents(difference)
    let names = (
      before: difference.before == nil ? "/dev/null" : names.before,
      after: difference.after == nil ? "/dev/null" : names.after
    )
    return UnifiedDifference.text(from: before, to: after, names: names)
  }

  private static func documents(_ difference: ResourceVersions) -> (before: String, after: String) {
    var (before, after) = (difference.before, difference.after)
    // Where there is only one, its defaults tell nothing. One that cannot be read, as of another version
    // of the gateway, is shown as it is, and so is the other.
    if let old = before.flatMap({ complete($0, difference.id) }),
      let new = after.flatMap({ complete($0, difference.id) })
    {
      (before, after) = (old, new)
    }
    let text = { (body: ResourceBody?) in body.map { YAMLText.document(withoutKey($0, difference.id)) } ?? ""
    }
    return (text(before), text(after))
  }

  /// With all defaults written out.
  private static func complete(_ body: ResourceBody, _ id: ResourceID) -> ResourceBody? {
    guard let resource = try? ResourceReader.read(id, body, folder: "") else { return nil }
    return try? ResourceBody(json: Array(resource.json.utf8))
  }

  private static func withoutKey(_ body: ResourceBody, _ id: ResourceID) -> ResourceBody {
    guard id.kind == .certificates, let patch = try? ResourceBody(json: Array(#"{"key":null}"#.utf8)) else {
      return body
    }
    return body.merged(with: patch)
  }
}
