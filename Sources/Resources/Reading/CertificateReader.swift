/// Reads `certificates`. The files themselves are read when the configuration is put to use.
enum CertificateReader {
  static let keys = ["name", "certificate", "key", "hosts", "ocsp", "default", "listeners"]
  static let example = "such as {name: shop, certificate: shop.pem, key: shop.key}"

  static func readAll(_ value: Value, references: References) -> [CertificateSpec]? {
    let hint = "such as certificates: [{name: shop, certificate: shop.pem, key: shop.key}]"
    guard let items = value.items("a list of certificates", hint: hint) else { return nil }
    var names = UniqueNames()
    var conflicts = CertificateConflicts()
    return items.compactMap { item -> CertificateSpec? in
      guard let mapping = MappingReader(item, keys: keys, hint: example) else { return nil }
      let name = ListenerReader.readName(mapping, "certificate", &names)
      let chain = mapping.required("certificate", "a PEM file with the certificate and its chain")
      let key = mapping.required("key", "a PEM file with the private key")
      var certificate = CertificateSpec(
        name: name ?? "", chainPath: chain?.filePath("a file's path") ?? "",
        keyPath: key?.filePath("a file's path") ?? "")
      mapping.read("ocsp", into: &certificate.ocspPath) { $0.filePath("a file's path") }
      mapping.read("default", into: &certificate.isDefault) { $0.boolean() }
      mapping.read("listeners", into: &certificate.listeners) { readListeners($0, references) }
      if let value = mapping["hosts"] {
        for (host, place) in readHosts(value) {
          certificate.hosts.append(host)
          conflicts.insert(.host(host), of: certificate, at: place)
        }
      }
      if certificate.isDefault, let value = mapping["default"] {
        conflicts.insert(.anyHost, of: certificate, at: value)
      }
      return certificate
    }
  }

  private static func readListeners(_ value: Value, _ references: References) -> [String]? {
    let hint = "leave it out for all with tls"
    guard let items = value.items("a list of listeners' names", hint: hint) else { return nil }
    let names = items.map { item -> (Value, String?) in
      let name = references.listener(item)
      if let name, references.hasTLS(name) == false {
        item.report("listener \(quoted(name)) has no tls", hint: "add tls to it, or remove it here")
      }
      return (item, name)
    }
    return RouteReader.uniqueTexts(names, "listener")
  }

  /// Hosts and where they are; each once.
  private static func readHosts(_ value: Value) -> [(host: String, place: Value)] {
    let hint = "leave it out for the names in the certificate"
    guard let items = value.items("a list of hosts", hint: hint) else { return [] }
    var seen: Set<String> = []
    return items.compactMap { item in
      guard let host = readHost(item) else { return nil }
      guard seen.insert(host).inserted else {
        item.report("the host \(quoted(host)) is listed twice")
        return nil
      }
      return (host, item)
    }
  }

  private static func readHost(_ value: Value) -> String? {
    guard let text = value.text("a host such as shop.example.com") else { return nil }
    // RFC 6066 §3: SNI holds names only.
    let address = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    guard IPAddressText.parse(address) == nil else {
      value.report(
        "\(quoted(text)) is an address, and TLS clients only send names",
        hint: "write default: true for clients that connect to an address")
      return nil
    }
    do throws(HostText.Failure) {
      return try HostText.routeHost(text)
    } catch {
      let isAnyHost = text == "*"
      value.report(
        error.message, hint: isAnyHost ? "write default: true for hosts without a certificate" : error.hint)
      return nil
    }
  }
}
