/// A value of a document that is written, before it is known in which language.
enum WrittenValue {
  struct Entry {
    var key: String
    var value: WrittenValue
  }

  /// Quoted where a reader might take it for something else.
  case text(String)
  /// A number, or a word such as `true`, `off` or `5s`, which YAML has without quotes.
  case word(String)
  /// On one line in YAML, as are `flowMapping` and what is in it.
  case flowList([WrittenValue])
  case flowMapping([Entry])
  case list([WrittenValue])
  case mapping([Entry])
}

/// Collects the keys of a mapping in the order in which they are written.
struct DocumentWriter {
  private(set) var entries: [WrittenValue.Entry] = []

  mutating func pair(_ key: String, _ value: WrittenValue) {
    entries.append(WrittenValue.Entry(key: key, value: value))
  }

  /// A number or a word of the vocabulary, never anything that a person has chosen.
  mutating func pair(_ key: String, word: String) { pair(key, .word(word)) }

  mutating func pair(_ key: String, text: String) { pair(key, .text(text)) }

  mutating func pair(_ key: String, texts: [String]) { pair(key, .flowList(texts.map(WrittenValue.text))) }

  /// A mapping on one line.
  mutating func pair(_ key: String, flow: KeyValuePairs<String, WrittenValue>) {
    pair(key, .flow(flow))
  }

  mutating func block(_ key: String, _ body: (inout DocumentWriter) -> Void) {
    pair(key, .mapping(body))
  }

  /// A list of mappings.
  mutating func list<Item>(_ key: String, _ items: [Item], _ body: (inout DocumentWriter, Item) -> Void) {
    pair(key, .list(items.map { item in .mapping { body(&$0, item) } }))
  }
}

extension WrittenValue {
  static func mapping(_ body: (inout DocumentWriter) -> Void) -> WrittenValue {
    var writer = DocumentWriter()
    body(&writer)
    return .mapping(writer.entries)
  }

  /// A mapping on one line.
  static func flow(_ entries: KeyValuePairs<String, WrittenValue>) -> WrittenValue {
    .flowMapping(entries.map { Entry(key: $0.key, value: $0.value) })
  }

  /// Compact JSON: words that are none of JSON's are texts.
  var json: String {
    var text = JSONText()
    write(to: &text)
    return text.text
  }

  private func write(to text: inout JSONText) {
    switch self {
    case .text(let string): text.string(string)
    case .word(let word): text.plain(word)
    case .flowList(let items), .list(let items):
      text.byte(UInt8(ascii: "["))
      for index in items.indices {
        if index > 0 { text.byte(UInt8(ascii: ",")) }
        items[index].write(to: &text)
      }
      text.byte(UInt8(ascii: "]"))
    case .flowMapping(let entries), .mapping(let entries):
      text.byte(UInt8(ascii: "{"))
      for index in entries.indices {
        if index > 0 { text.byte(UInt8(ascii: ",")) }
        text.string(entries[index].key)
        text.byte(UInt8(ascii: ":"))
        entries[index].value.write(to: &text)
      }
      text.byte(UInt8(ascii: "}"))
    }
  }
}
