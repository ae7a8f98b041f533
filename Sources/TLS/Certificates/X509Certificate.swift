import COpenSSL

/// One certificate, parsed.
///
/// `@safe`: the object holds a reference of its own to what the pointer refers to.
@safe
final class X509Certificate {
  enum Text {
    case subject, issuer, serial, pem

    fileprivate var code: Int32 {
      switch self {
      case .subject: Int32(COSSL_TEXT_SUBJECT)
      case .issuer: Int32(COSSL_TEXT_ISSUER)
      case .serial: Int32(COSSL_TEXT_SERIAL)
      case .pem: Int32(COSSL_TEXT_PEM)
      }
    }
  }

  enum Name {
    case dns([UInt8])
    case email([UInt8])
    case uri([UInt8])
    case address([UInt8])
  }

  @unsafe private let pointer: OpaquePointer
  private let isOwner: Bool

  /// - Parameter isOwner: whether the reference is taken over, or kept by another that lives longer.
  @unsafe
  init(_ pointer: OpaquePointer, isOwner: Bool) {
    unsafe self.pointer = pointer
    self.isOwner = isOwner
  }

  deinit { if isOwner { unsafe cossl_x509_free(pointer) } }

  var notBefore: Int64 { unsafe cossl_x509_not_before(pointer) }
  var notAfter: Int64 { unsafe cossl_x509_not_after(pointer) }

  var fingerprint: [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    // A SHA-256 digest has the array's size.
    _ = unsafe cossl_x509_fingerprint(pointer, &digest)
    return digest
  }

  func text(_ what: Text) -> [UInt8] {
    var count = 0
    guard let bytes = unsafe cossl_x509_text(pointer, what.code, &count) else { return [] }
    defer { unsafe cossl_bytes_free(bytes) }
    // Copied before it is freed.
    return unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
  }

  /// The names of the subjectAltName extension.
  var names: [Name] {
    guard let list = unsafe cossl_x509_names(pointer) else { return [] }
    defer { unsafe cossl_names_free(list) }
    var names: [Name] = []
    for index in 0..<(unsafe cossl_names_count(list)) {
      var bytes: UnsafePointer<UInt8>?
      var count = 0
      let kind = unsafe Int(cossl_names_at(list, index, &bytes, &count))
      // The bytes live as long as the list; they are copied here.
      guard let start = unsafe bytes else { continue }
      let value = unsafe Array(UnsafeBufferPointer(start: start, count: count))
      switch kind {
      case COSSL_NAME_DNS: names.append(.dns(value))
      case COSSL_NAME_EMAIL: names.append(.email(value))
      case COSSL_NAME_URI: names.append(.uri(value))
      case COSSL_NAME_IP: names.append(.address(value))
      default: break
      }
    }
    return names
  }

  /// The hosts among the names. The common name is not looked at (RFC 9525 §2).
  var hostNames: [String] {
    names.compactMap { name in
      if case .dns(let bytes) = name { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
  }
}
