extension Route {
  func write(to writer: inout YAMLWriter) {
    writer.pair("name", YAMLWriter.scalar(name))
    if !listeners.isEmpty { writer.pair("listeners", texts: listeners) }
    if !hosts.isEmpty { writer.pair("hosts", texts: hosts) }
    writer.list("match", matches) { $1.write(to: &$0) }
    if !backends.isEmpty {
      writer.list("backends", backends) { writer, backend in
        writer.pair("service", YAMLWriter.scalar(backend.service))
        writer.pair("weight", "\(backend.weight)")
      }
    }
    writer.pair("upgrades", texts: upgrades)
    redirect.write("redirect", to: &writer)
    hsts.write("hsts", to: &writer)
  }
}

extension Match {
  func write(to writer: inout YAMLWriter) {
    if let grpc {
      let parts = [("service", grpc.service), ("method", grpc.method)].compactMap { key, name in
        name.map { "\(key): \(YAMLWriter.scalar($0))" }
      }
      writer.pair("grpc", "{" + parts.joined(separator: ", ") + "}")
      write("headers", Array(headers.dropFirst()), to: &writer)
      return
    }
    switch path {
    case .exact(let path): writer.pair("path", "{exact: \(YAMLWriter.scalar(path))}")
    case .prefix(let path): writer.pair("path", "{prefix: \(YAMLWriter.scalar(path))}")
    case .regex(let pattern): writer.pair("path", "{regex: \(YAMLWriter.scalar(pattern))}")
    }
    if !methods.isEmpty { writer.pair("methods", texts: methods) }
    write("headers", headers, to: &writer)
    write("query", query, to: &writer)
  }

  private func write(_ key: String, _ fields: [FieldMatch], to writer: inout YAMLWriter) {
    guard !fields.isEmpty else { return }
    writer.block(key) { writer in
      for field in fields {
        switch field.value {
        case .exact(let text): writer.pair(YAMLWriter.scalar(field.name), YAMLWriter.scalar(text))
        case .regex(let pattern):
          writer.pair(YAMLWriter.scalar(field.name), "{regex: \(YAMLWriter.scalar(pattern))}")
        }
      }
    }
  }
}
