/// The fields that carry what HTTP/1 has in its first line (RFC 9113 §8.3).
enum PseudoField {
  /// Examines a pseudo-field: which one it is, and whether its value can be used.
  static func examine(_ bytes: Span<UInt8>, name: ByteRange, value: ByteRange) -> FieldTraits {
    guard let kind = kind(bytes, name) else { return FieldTraits(.unknownPseudoField) }
    if let malformation = FieldTraits.malformation(of: value, in: bytes) {
      return FieldTraits(malformation)
    }
    return examine(kind, bytes, value)
  }

  /// Examines the value of a pseudo-field, which holds no control characters.
  static func examine(_ kind: FieldTraits.Kind, _ bytes: Span<UInt8>, _ value: ByteRange) -> FieldTraits {
    switch kind {
    case .method: return examineMethod(bytes, value)
    case .scheme: return examineScheme(bytes, value)
    case .authority: return examineAuthority(bytes, value)
    case .path: return examinePath(bytes, value)
    case .status: return examineStatus(bytes, value)
    default:
      return bytes.isToken(value) ? FieldTraits(kind) : FieldTraits(HTTP2Malformation.invalidProtocol)
    }
  }

  private static func kind(_ bytes: Span<UInt8>, _ name: ByteRange) -> FieldTraits.Kind? {
    switch name.count {
    case 5: bytes.equals(name, ":path") ? .path : nil
    case 7:
      bytes.equals(name, ":method")
        ? .method : bytes.equals(name, ":scheme") ? .scheme : bytes.equals(name, ":status") ? .status : nil
    case 9: bytes.equals(name, ":protocol") ? .protocol : nil
    case 10: bytes.equals(name, ":authority") ? .authority : nil
    default: nil
    }
  }

  private static func examineMethod(_ bytes: Span<UInt8>, _ value: ByteRange) -> FieldTraits {
    guard !value.isEmpty else { return FieldTraits(.emptyPseudoField) }
    guard bytes.isToken(value) else { return FieldTraits(.invalidMethod) }
    guard Int(value.count) <= HTTP1Limits.methodBytesMax else { return FieldTraits(.methodTooLong) }
    return FieldTraits(.method, detail: UInt32(HTTPMethod(bytes, value).rawValue))
  }

  private static func examineScheme(_ bytes: Span<UInt8>, _ value: ByteRange) -> FieldTraits {
    guard !value.isEmpty else { return FieldTraits(.emptyPseudoField) }
    let isKnown =
      bytes.equalsIgnoringCase(value, lowercase: "https")
      || bytes.equalsIgnoringCase(value, lowercase: "http")
    return isKnown ? FieldTraits(.scheme) : FieldTraits(.unsupportedScheme)
  }

  /// As strict as for `Host`: a user (RFC 9113 §8.3.1) or an empty host is an error.
  private static func examineAuthority(_ bytes: Span<UInt8>, _ value: ByteRange) -> FieldTraits {
    do throws(HTTP1Error) {
      let authority = try Authority.parse(bytes, value)
      let port = authority.port == nil ? 0 : FieldTraits.hasPort
      return FieldTraits(.authority, detail: authority.host.count | port)
    } catch {
      let hasUser = bytes.index(of: ASCII.at, from: Int(value.start), to: value.end) < value.end
      return FieldTraits(hasUser ? .userInformation : error)
    }
  }

  /// A path with an optional query, or an asterisk (RFC 9113 §8.3.1); no fragment.
  private static func examinePath(_ bytes: Span<UInt8>, _ value: ByteRange) -> FieldTraits {
    guard !value.isEmpty else { return FieldTraits(.emptyPseudoField) }
    let first = bytes[Int(value.start)]
    guard first == ASCII.slash || first == ASCII.asterisk && value.count == 1 else {
      return FieldTraits(.invalidTarget)
    }
    guard let pathEnd = RequestLine.pathEnd(bytes, value) else { return FieldTraits(.invalidTarget) }
    return FieldTraits(.path, detail: UInt32(truncatingIfNeeded: pathEnd &- Int(value.start)))
  }

  private static func examineStatus(_ bytes: Span<UInt8>, _ value: ByteRange) -> FieldTraits {
    guard value.count == 3, let status = bytes.decimal(in: value) else {
      return FieldTraits(HTTP2Malformation.invalidStatus)
    }
    guard status >= 100, status <= 599 else { return FieldTraits(HTTP1Error.invalidStatus) }
    guard status != 101 else { return FieldTraits(.switchingProtocols) }
    return FieldTraits(.status, detail: UInt32(status))
  }
}
