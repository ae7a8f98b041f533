import COpenSSL

/// A certificate in the form that OpenSSL uses.
///
/// `@safe`: the pointer is this object's alone.
@safe
final class ParsedCertificate {
  @unsafe let pointer: OpaquePointer
  let leaf: X509Certificate

  /// Reads and checks.
  init(chainPEM: [UInt8], keyPEM: [UInt8]) throws(CertificateError) {
    var status: Int32 = 0
    var position: Int32 = 0
    // The arrays are read during the call.
    let parsed = unsafe cossl_certificate_read(
      chainPEM, chainPEM.count, keyPEM, keyPEM.count, &status, &position)
    guard let parsed = unsafe parsed else { throw .reading(status, position: position) }
    unsafe pointer = parsed
    // It lives as long as this object, which does not give it away.
    unsafe leaf = X509Certificate(cossl_certificate_leaf(parsed), isOwner: false)
  }

  /// From what was checked before.
  init?(_ certificate: TLSCertificate) {
    let archive = certificate.archive
    let chain = archive.chain
    let parsed = unsafe certificate.key.withBytes { key in
      // Chain and secret are read during the call.
      unsafe chain.withUnsafeBufferPointer { chain -> OpaquePointer? in
        guard let start = chain.baseAddress else { return nil }
        return unsafe cossl_certificate_parse(start, chain.count, key, certificate.key.count)
      }
    }
    guard let parsed = unsafe parsed else { return nil }
    unsafe pointer = parsed
    unsafe leaf = X509Certificate(cossl_certificate_leaf(parsed), isOwner: false)
  }

  deinit { unsafe cossl_certificate_free(pointer) }

  var keyKind: Int { unsafe Int(cossl_certificate_key_kind(pointer)) }

  /// Checks an OCSP response.
  /// - Returns: when it ends, in seconds since 1970-01-01 UTC.
  func end(ofOCSP response: [UInt8]) throws(CertificateError) -> Int64 {
    var end = Int64.max
    // The array is read during the call.
    let status = unsafe cossl_certificate_ocsp(pointer, response, response.count, &end)
    guard Int(status) == COSSL_CERTIFICATE_OK else { throw .reading(status, position: 0) }
    return end
  }

  var chainDER: [UInt8] {
    var count = 0
    guard let bytes = unsafe cossl_certificate_chain_der(pointer, &count) else { return [] }
    defer { unsafe cossl_bytes_free(bytes) }
    // Copied before it is freed.
    return unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
  }

  var keyDER: SecretBytes? {
    var count = 0
    guard let bytes = unsafe cossl_certificate_key_der(pointer, &count) else { return nil }
    return unsafe SecretBytes(taking: bytes, count: count)
  }
}

/// Certificates that one worker has parsed, the least recently used of which are forgotten.
///
/// A parsed certificate takes about 15 KB, its DER about 2: of 100,000 only those in use are worth it.
final class ParsedCertificates {
  /// 60 MB of a worker's memory at most. A worker that sees more hosts than this in turn parses one per
  /// handshake, which costs it a third more.
  static let countMax = 4_096

  private struct Entry {
    let certificate: TLSCertificate
    let parsed: ParsedCertificate
    /// Used since the hand passed (the clock algorithm).
    var isUsed: Bool
  }

  private var entries: [Entry] = []
  private var positions: [ObjectIdentifier: Int] = [:]
  private var hand = 0
  private let limit: Int

  init(limit: Int = countMax) { self.limit = limit }

  var count: Int { entries.count }

  /// The parsed form; nil where OpenSSL cannot parse it after all.
  func parsed(_ certificate: TLSCertificate) -> ParsedCertificate? {
    if let position = positions[ObjectIdentifier(certificate)] {
      entries[position].isUsed = true
      return entries[position].parsed
    }
    guard let parsed = ParsedCertificate(certificate) else { return nil }
    insert(Entry(certificate: certificate, parsed: parsed, isUsed: false))
    return parsed
  }

  /// Forgets a certificate that is not presented any more, and so its key.
  func forget(_ certificate: TLSCertificate) {
    guard let position = positions.removeValue(forKey: ObjectIdentifier(certificate)) else { return }
    let last = entries.removeLast()
    if position < entries.count {
      entries[position] = last
      positions[ObjectIdentifier(last.certificate)] = position
    }
    if hand >= entries.count { hand = 0 }
  }

  private func insert(_ entry: Entry) {
    if entries.count < limit {
      positions[ObjectIdentifier(entry.certificate)] = entries.count
      entries.append(entry)
      return
    }
    while entries[hand].isUsed {
      entries[hand].isUsed = false
      hand = (hand + 1) % limit
    }
    positions[ObjectIdentifier(entries[hand].certificate)] = nil
    positions[ObjectIdentifier(entry.certificate)] = hand
    entries[hand] = entry
    hand = (hand + 1) % limit
  }
}
