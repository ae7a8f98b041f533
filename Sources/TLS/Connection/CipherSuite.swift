/// Cipher suites by the protocol's number.
enum CipherSuite {
  /// OpenSSL's name of those that the profiles offer.
  static func name(_ suite: UInt16) -> StaticString {
    switch suite {
    case 0x1301: "TLS_AES_128_GCM_SHA256"
    case 0x1302: "TLS_AES_256_GCM_SHA384"
    case 0x1303: "TLS_CHACHA20_POLY1305_SHA256"
    case 0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256"
    case 0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384"
    case 0xC02F: "ECDHE-RSA-AES128-GCM-SHA256"
    case 0xC030: "ECDHE-RSA-AES256-GCM-SHA384"
    case 0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305"
    case 0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305"
    default: ""
    }
  }
}
