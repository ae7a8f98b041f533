extension Listener {
  func write(to writer: inout YAMLWriter) {
    writer.pair("name", YAMLWriter.scalar(name))
    writer.pair("address", YAMLWriter.scalar(address.description))
    writer.pair("proxyProtocol", "\(proxyProtocol)")
    guard let tls else {
      writer.pair("tls", "off")
      writer.pair("h2c", "\(h2c)")
      redirect.map(Override.on).write("redirect", to: &writer)
      return
    }
    writer.block("tls") { tls.write(to: &$0) }
    hsts.map(Override.on).write("hsts", to: &writer)
  }
}

extension ListenerTLS {
  fileprivate func write(to writer: inout YAMLWriter) {
    writer.pair("profile", profile.rawValue)
    writer.pair("protocols", texts: protocols.map(\.rawValue))
    if let clients = clientCertificates {
      writer.block("clientCertificates") { writer in
        writer.pair("verify", clients.verification.rawValue)
        writer.pair("ca", YAMLWriter.scalar(clients.authoritiesPath))
        if let path = clients.revocationsPath { writer.pair("crl", YAMLWriter.scalar(path)) }
        writer.pair("depth", "\(clients.depth)")
      }
    } else {
      writer.pair("clientCertificates", "off")
    }
    switch tickets {
    case .off: writer.pair("tickets", "off")
    case .rotating(let interval): writer.pair("tickets", "{rotate: \(DurationText.format(interval))}")
    case .files(let paths): writer.block("tickets") { $0.pair("files", texts: paths) }
    }
    writer.pair("handshakeTimeout", DurationText.format(handshakeTimeout))
    writer.pair("unknownHost", unknownHost.rawValue)
  }
}

extension CertificateSpec {
  func write(to writer: inout YAMLWriter) {
    writer.pair("name", YAMLWriter.scalar(name))
    writer.pair("certificate", YAMLWriter.scalar(chainPath))
    writer.pair("key", YAMLWriter.scalar(keyPath))
    if !hosts.isEmpty { writer.pair("hosts", texts: hosts) }
    if let ocspPath { writer.pair("ocsp", YAMLWriter.scalar(ocspPath)) }
    writer.pair("default", "\(isDefault)")
    if !listeners.isEmpty { writer.pair("listeners", texts: listeners) }
  }
}

extension ServiceTLS {
  func write(to writer: inout YAMLWriter) {
    writer.pair("verify", "\(verify)")
    if let authoritiesPath { writer.pair("ca", YAMLWriter.scalar(authoritiesPath)) }
    if let serverName { writer.pair("serverName", YAMLWriter.scalar(serverName)) }
    if let clientCertificate {
      writer.pair("certificate", YAMLWriter.scalar(clientCertificate.chainPath))
      writer.pair("key", YAMLWriter.scalar(clientCertificate.keyPath))
    }
  }
}

extension Override<HTTPSRedirect>? {
  /// Nothing where the listener's holds.
  func write(_ key: String, to writer: inout YAMLWriter) {
    switch self {
    case nil: break
    case .off: writer.pair(key, "off")
    case .on(let redirect):
      writer.pair(key, "{to: https, port: \(redirect.port), status: \(redirect.status)}")
    }
  }
}

extension Override<StrictTransportSecurity>? {
  func write(_ key: String, to writer: inout YAMLWriter) {
    switch self {
    case nil: break
    case .off: writer.pair(key, "off")
    case .on(let hsts):
      writer.block(key) { writer in
        writer.pair("maxAge", DurationText.format(hsts.maxAge))
        writer.pair("includeSubdomains", "\(hsts.includeSubdomains)")
        writer.pair("preload", "\(hsts.preload)")
      }
    }
  }
}

extension Override<ServiceTLS>? {
  func write(_ key: String, to writer: inout YAMLWriter) {
    switch self {
    case nil: break
    case .off: writer.pair(key, "off")
    case .on(let tls): writer.block(key) { tls.write(to: &$0) }
    }
  }
}
