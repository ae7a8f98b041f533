extension Listener {
  func write(to writer: inout DocumentWriter) {
    writer.pair("name", text: name)
    writer.pair("address", text: address.description)
    writer.pair("proxyProtocol", word: "\(proxyProtocol)")
    writer.pair("connections", word: connections.map(String.init) ?? "none")
    guard let tls else {
      writer.pair("tls", word: "off")
      writer.pair("h2c", word: "\(h2c)")
      redirect.map(Override.on).write("redirect", to: &writer)
      return
    }
    writer.block("tls") { tls.write(to: &$0) }
    hsts.map(Override.on).write("hsts", to: &writer)
  }
}

extension ListenerTLS {
  fileprivate func write(to writer: inout DocumentWriter) {
    writer.pair("profile", word: profile.rawValue)
    writer.pair("protocols", texts: protocols.map(\.rawValue))
    if let clients = clientCertificates {
      writer.block("clientCertificates") { writer in
        writer.pair("verify", word: clients.verification.rawValue)
        writer.pair("ca", text: clients.authoritiesPath)
        if let path = clients.revocationsPath { writer.pair("crl", text: path) }
        writer.pair("depth", word: "\(clients.depth)")
      }
    } else {
      writer.pair("clientCertificates", word: "off")
    }
    switch tickets {
    case .off: writer.pair("tickets", word: "off")
    case .rotating(let interval):
      writer.pair("tickets", flow: ["rotate": .word(DurationText.format(interval))])
    case .files(let paths): writer.block("tickets") { $0.pair("files", texts: paths) }
    }
    writer.pair("handshakeTimeout", word: DurationText.format(handshakeTimeout))
    if let unknownHost { writer.pair("unknownHost", word: unknownHost.rawValue) }
  }
}

extension CertificateSpec {
  func write(to writer: inout DocumentWriter) {
    writer.pair("name", text: name)
    if let pem {
      // The key is not written: it would stand in dumps, answers and logs.
      writer.pair("certificate", text: String(decoding: pem.chain, as: UTF8.self))
    } else {
      writer.pair("certificate", text: chainPath)
      writer.pair("key", text: keyPath)
    }
    if !hosts.isEmpty { writer.pair("hosts", texts: hosts) }
    if let ocspPath { writer.pair("ocsp", text: ocspPath) }
    writer.pair("default", word: "\(isDefault)")
    if !listeners.isEmpty { writer.pair("listeners", texts: listeners) }
  }
}

extension ServiceTLS {
  func write(to writer: inout DocumentWriter) {
    writer.pair("verify", word: "\(verify)")
    if let authoritiesPath { writer.pair("ca", text: authoritiesPath) }
    if let serverName { writer.pair("serverName", text: serverName) }
    if let clientCertificate {
      writer.pair("certificate", text: clientCertificate.chainPath)
      writer.pair("key", text: clientCertificate.keyPath)
    }
  }
}

extension Override<HTTPSRedirect>? {
  /// Nothing where the listener's holds.
  func write(_ key: String, to writer: inout DocumentWriter) {
    switch self {
    case nil: break
    case .off: writer.pair(key, word: "off")
    case .on(let redirect):
      writer.pair(
        key,
        flow: [
          "to": .word("https"), "port": .word("\(redirect.port)"), "status": .word("\(redirect.status)"),
        ])
    }
  }
}

extension Override<StrictTransportSecurity>? {
  func write(_ key: String, to writer: inout DocumentWriter) {
    switch self {
    case nil: break
    case .off: writer.pair(key, word: "off")
    case .on(let hsts):
      writer.block(key) { writer in
        writer.pair("maxAge", word: DurationText.format(hsts.maxAge))
        writer.pair("includeSubdomains", word: "\(hsts.includeSubdomains)")
        writer.pair("preload", word: "\(hsts.preload)")
      }
    }
  }
}

extension Override<ServiceTLS>? {
  func write(_ key: String, to writer: inout DocumentWriter) {
    switch self {
    case nil: break
    case .off: writer.pair(key, word: "off")
    case .on(let tls): writer.block(key) { tls.write(to: &$0) }
    }
  }
}
