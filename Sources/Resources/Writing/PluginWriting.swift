extension [PluginAttachment] {
  func write(to writer: inout DocumentWriter) {
    guard !isEmpty else { return }
    writer.block("plugins") { writer in
      for attachment in self { writer.pair(attachment.name, attachment.written) }
    }
  }
}

extension GlobalPlugin {
  func write(to writer: inout DocumentWriter) {
    writer.pair("name", text: name)
    guard case .mapping(let entries) = attachment.written else { return }
    for entry in entries { writer.pair(entry.key, entry.value) }
  }
}

extension Consumer {
  func write(to writer: inout DocumentWriter) {
    writer.pair("name", text: name)
    if let customID { writer.pair("customID", text: customID) }
    if !groups.isEmpty { writer.pair("groups", texts: groups) }
    if !credentials.isEmpty {
      writer.block("credentials") { writer in
        for plugin in Set(credentials.map(\.plugin)).sorted() {
          let own = credentials.filter { $0.plugin == plugin }
          writer.pair(plugin, .list(own.map(\.credential.kept.written)))
        }
      }
    }
    plugins.write(to: &writer)
  }
}
