extension Route {
  func write(to writer: inout DocumentWriter) {
    writer.pair("name", text: name)
    if !listeners.isEmpty { writer.pair("listeners", texts: listeners) }
    if !hosts.isEmpty { writer.pair("hosts", texts: hosts) }
    writer.list("match", matches) { $1.write(to: &$0) }
    if !backends.isEmpty {
      writer.list("backends", backends) { writer, backend in
        writer.pair("service", text: backend.service)
        writer.pair("weight", word: "\(backend.weight)")
      }
    }
    writer.pair("upgrades", texts: upgrades)
    redirect.write("redirect", to: &writer)
    hsts.write("hsts", to: &writer)
    plugins.write(to: &writer)
  }
}

extension Match {
  func write(to writer: inout DocumentWriter) {
    if let grpc {
      let parts = [("service", grpc.service), ("method", grpc.method)].compactMap { key, name in
        name.map { WrittenValue.Entry(key: key, value: .text($0)) }
      }
      writer.pair("grpc", .flowMapping(parts))
      write("headers", Array(headers.dropFirst()), to: &writer)
      return
    }
    switch path {
    case .exact(let path): writer.pair("path", flow: ["exact": .text(path)])
    case .prefix(let path): writer.pair("path", flow: ["prefix": .text(path)])
    case .regex(let pattern): writer.pair("path", flow: ["regex": .text(pattern)])
    }
    if !methods.isEmpty { writer.pair("methods", texts: methods) }
    write("headers", headers, to: &writer)
    write("query", query, to: &writer)
  }

  private func write(_ key: String, _ fields: [FieldMatch], to writer: inout DocumentWriter) {
    guard !fields.isEmpty else { return }
    writer.block(key) { writer in
      for field in fields {
        switch field.value {
        case .exact(let text): writer.pair(field.name, text: text)
        case .regex(let pattern): writer.pair(field.name, flow: ["regex": .text(pattern)])
        }
      }
    }
  }
}
