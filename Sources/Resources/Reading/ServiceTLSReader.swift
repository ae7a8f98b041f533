/// Reads `tls` of a service, and of its health checks.
enum ServiceTLSReader {
  static let keys = ["verify", "ca", "serverName", "certificate", "key"]

  static func readOrOff(_ value: Value) -> ServiceTLS?? {
    value.isWord("off") ? .some(nil) : read(value).map(Optional.some)
  }

  static func read(_ value: Value) -> ServiceTLS? {
    if value.isWord("true") { return ServiceTLS() }
    guard let mapping = MappingReader(value, keys: keys, wanted: "a mapping, true, or off") else {
      return nil
    }
    var tls = ServiceTLS()
    mapping.read("verify", into: &tls.verify) { $0.boolean() }
    mapping.read("ca", into: &tls.authoritiesPath) { $0.filePath("a file's path") }
    mapping.read("serverName", into: &tls.serverName, readServerName)
    if !tls.verify {
      mapping["ca"]?.report("ca has no meaning with verify: false", hint: "remove one of the two")
    }
    let certificate = mapping["certificate"].map { $0.filePath("a file's path") ?? "" }
    let key = mapping["key"].map { $0.filePath("a file's path") ?? "" }
    switch (certificate, key) {
    case (nil, nil): break
    case (let certificate?, let key?):
      tls.clientCertificate = ServiceTLS.KeyPair(chainPath: certificate, keyPath: key)
    case (.some, nil):
      mapping["certificate"]?.report("certificate needs a key", hint: "such as key: gateway.key")
    case (nil, .some):
      mapping["key"]?.report("key needs a certificate", hint: "such as certificate: gateway.pem")
    }
    return tls
  }

  /// RFC 6066 §3: SNI holds names only.
  private static func readServerName(_ value: Value) -> String? {
    guard let text = value.text("a name such as orders.internal") else { return nil }
    guard IPAddressText.parse(text) == nil else {
      value.report(
        "\(quoted(text)) is an address, not a name", hint: "leave it out to verify the endpoint's address")
      return nil
    }
    guard !text.contains(":") else {
      value.report("\(quoted(text)) is not a name", hint: "write the host alone, without scheme and port")
      return nil
    }
    do throws(HostText.Failure) {
      return try HostText.name(text, written: text)
    } catch {
      value.report(error.message, hint: error.hint)
      return nil
    }
  }
}
