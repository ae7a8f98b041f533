/// Reads `certificate` and `key`: paths, or PEM text itself.
enum CertificateMaterial {
  /// A chain of ten certificates has about 20 KiB.
  static let pemBytesMax = 256 << 10

  /// After an error, a certificate with what could be read. A certificate that is text may be without its
  /// key, which is empty then: who reads it may have the key already.
  static func read(_ mapping: MappingReader, name: String) -> CertificateSpec {
    let chain = mapping.required("certificate", "a PEM file with the certificate and its chain")
    let chainPEM = chain.flatMap(pem)
    if let chainPEM, mapping["key"] == nil {
      return CertificateSpec(name: name, pem: CertificatePEM(chain: chainPEM, key: []))
    }
    let key = mapping.required("key", "a PEM file with the private key")
    let keyPEM = key.flatMap(pem)
    switch (chainPEM, keyPEM) {
    case (nil, nil):
      return CertificateSpec(
        name: name, chainPath: chain?.filePath("a file's path") ?? "",
        keyPath: key?.filePath("a file's path") ?? "")
    case (let chain?, let key?):
      return CertificateSpec(name: name, pem: CertificatePEM(chain: chain, key: key))
    case (.some, nil):
      key?.report("a path, where certificate is PEM text", hint: "give both as PEM text, or both as paths")
    case (nil, .some):
      // The key itself is not shown: errors go to logs. Where there is no certificate, that is said.
      if chain != nil {
        key?.report("PEM text, where certificate is a path", hint: "give both as PEM text, or both as paths")
      }
    }
    return CertificateSpec(name: name, chainPath: "", keyPath: "")
  }

  /// The bytes of a text that is PEM (RFC 7468) and no path.
  private static func pem(_ value: Value) -> [UInt8]? {
    guard let text = value.plainText else { return nil }
    let begin = text.utf8.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    guard begin.starts(with: "-----BEGIN".utf8) else { return nil }
    guard text.utf8.count <= pemBytesMax else {
      value.report("the text has \(text.utf8.count) bytes", hint: "at most \(pemBytesMax)")
      return []
    }
    return Array(text.utf8)
  }
}
