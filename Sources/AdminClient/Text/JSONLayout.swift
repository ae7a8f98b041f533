import Resources

/// Lays JSON out for people: two spaces a level, a line for each value.
public enum JSONLayout {
  /// With a line end.
  public static func text(_ body: ResourceBody) -> String {
    var text = ""
    write(body, indentation: 0, to: &text)
    return text + "\n"
  }

  private static func write(_ body: ResourceBody, indentation: Int, to text: inout String) {
    let inner = String(repeating: " ", count: indentation + 2)
    let end = "\n" + String(repeating: " ", count: indentation)
    switch body.content {
    case .mapping(let members) where !members.isEmpty:
      text += "{\n"
      for (index, member) in members.enumerated() {
        if index > 0 { text += ",\n" }
        var key = JSONWriter()
        key.string(member.key)
        text += inner + String(decoding: key.bytes, as: UTF8.self) + ": "
        write(member.value, indentation: indentation + 2, to: &text)
      }
      text += end + "}"
    case .list(let items) where !items.isEmpty:
      text += "[\n"
      for (index, item) in items.enumerated() {
        if index > 0 { text += ",\n" }
        text += inner
        write(item, indentation: indentation + 2, to: &text)
      }
      text += end + "]"
    default: text += body.json
    }
  }
}
