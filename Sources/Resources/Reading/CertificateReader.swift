/// Reads one of `certificates`. The files themselves are read when the configuration is put to use.
enum CertificateReader {
  static let keys = ["name", "certificate", "key", "hosts", "ocsp", "default", "listeners"]
  static let example = "such as {name: shop, certificate: shop.pem, key: shop.key}"

  /// After an error, what could be read.
  ///
  /// - name: Where it is known without being written.
  static func read(_ value: Value, name known: String? = nil) -> CertificateSpec? {
    guard let mapping = MappingReader(value, keys: keys, hint: example) else { return nil }
    let name = mapping.resourceName(known)
    var certificate = CertificateMaterial.read(mapping, name: name ?? "")
    mapping.read("ocsp", into: &certificate.ocspPath) { $0.filePath("a file's path") }
    mapping.read("default", into: &certificate.isDefault) { $0.boolean() }
    mapping.read("listeners", into: &certificate.listeners) { value in
      RouteReader.readNames(value, "a listener's name", "listener", hint: "leave it out for all with tls")
    }
    mapping.read("hosts", into: &certificate.hosts, readHosts)
    return certificate
  }

  private static func readHosts(_ value: Value) -> [String]? {
    let hint = "leave it out for the names in the certificate"
    guard let items = value.items("a list of hosts", hint: hint) else { return nil }
    return RouteReader.uniqueTexts(items.map { ($0, readHost($0)) }, "host")
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
