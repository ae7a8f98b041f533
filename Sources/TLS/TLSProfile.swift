import COpenSSL

/// Which versions, cipher suites and groups are offered: as Mozilla's Server Side TLS guidelines 6.0 say.
///
/// Both let the client's order decide. The hybrid group of the guidelines, X25519MLKEM768, is offered
/// where the system's OpenSSL has it (3.5 and later).
public enum TLSProfile: Sendable {
  /// TLS 1.3 only.
  case modern
  /// TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3.
  case intermediate

  var code: Int32 { Int32(self == .modern ? COSSL_PROFILE_MODERN : COSSL_PROFILE_INTERMEDIATE) }
}

public enum TLSVersion: Sendable {
  case tls12, tls13
}

/// What is spoken on a connection, by ALPN (RFC 7301).
public enum ApplicationProtocol: UInt8, Sendable {
  case http11, http2

  /// As registered with IANA.
  var name: StaticString { self == .http2 ? "h2" : "http/1.1" }

  init?(_ name: Span<UInt8>) {
    if name.count == 2 && name[0] == UInt8(ascii: "h") && name[1] == UInt8(ascii: "2") {
      self = .http2
    } else if name.count == 8 {
      self = .http11
    } else {
      return nil
    }
  }

  /// RFC 7301 §3.1.
  static func wireFormat(_ protocols: [ApplicationProtocol]) -> [UInt8] {
    protocols.flatMap { proto in
      let name = Array(String(describing: proto.name).utf8)
      return [UInt8(name.count)] + name
    }
  }
}
