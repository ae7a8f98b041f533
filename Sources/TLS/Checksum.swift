import COpenSSL

/// SHA-1 of some bytes, for protocols that ask for it as a checksum (RFC 6455 §4.2.2); it secures
/// nothing any more.
public func sha1(_ bytes: [UInt8]) -> [UInt8] {
  var digest = [UInt8](repeating: 0, count: 20)
  // Both arrays live through the call; the digest has the twenty bytes that are written.
  unsafe cossl_sha1(bytes, bytes.count, &digest)
  return digest
}
