import COpenSSL

/// What is known of a peer by its certificate, which was verified. Texts are made at first use.
///
/// Belongs to one connection, and is used on its worker's thread.
public final class PeerIdentity {
  private let certificate: X509Certificate
  private let verdict: Int

  init(_ certificate: X509Certificate, verdict: Int) {
    self.certificate = certificate
    self.verdict = verdict
  }

  /// RFC 2253: `CN=client,O=Example`.
  public private(set) lazy var subject: [UInt8] = certificate.text(.subject)
  public private(set) lazy var issuer: [UInt8] = certificate.text(.issuer)
  /// Upper-case hexadecimal.
  public private(set) lazy var serial: [UInt8] = certificate.text(.serial)
  /// SHA-256 of the DER, in lower-case hexadecimal.
  public private(set) lazy var fingerprint: [UInt8] = certificate.fingerprint.flatMap {
    [Self.hexadecimal($0 >> 4), Self.hexadecimal($0 & 15)]
  }
  /// The subjectAltName entries: `DNS:a.example`, `email:…`, `URI:spiffe://…`, `IP:` with the octets in
  /// hexadecimal.
  public private(set) lazy var names: [[UInt8]] = certificate.names.map { name in
    switch name {
    case .dns(let bytes): Array("DNS:".utf8) + bytes
    case .email(let bytes): Array("email:".utf8) + bytes
    case .uri(let bytes): Array("URI:".utf8) + bytes
    case .address(let octets):
      Array("IP:".utf8) + octets.flatMap { [Self.hexadecimal($0 >> 4), Self.hexadecimal($0 & 15)] }
    }
  }
  /// The certificate in PEM.
  public var pem: [UInt8] { certificate.text(.pem) }
  /// The certificate in PEM, with every byte escaped that RFC 3986 §2.3 does not call unreserved.
  public private(set) lazy var escapedPEM: [UInt8] = Self.escape(certificate.text(.pem))
  /// `SUCCESS`, or `FAILED:` and OpenSSL's reason, as nginx says it.
  public private(set) lazy var verification: [UInt8] =
    // OpenSSL's texts are static.
    unsafe verdict == 0
    ? Array("SUCCESS".utf8) : Array("FAILED:\(String(cString: cossl_verify_text(verdict)))".utf8)
  /// Seconds since 1970-01-01 UTC.
  public var notAfter: Int64 { certificate.notAfter }

  private static func hexadecimal(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 87 + digit }

  private static func escape(_ bytes: [UInt8]) -> [UInt8] {
    var escaped: [UInt8] = []
    escaped.reserveCapacity(bytes.count * 5 / 4)
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        escaped.append(byte)
      default:
        escaped.append(UInt8(ascii: "%"))
        for digit in [byte >> 4, byte & 15] { escaped.append(digit < 10 ? 48 + digit : 55 + digit) }
      }
    }
    return escaped
  }
}
