/// The fields after chunked content (RFC 9112 §7.1.2).
public enum TrailerSection {
  /// The most field lines in a trailer section; 431 beyond.
  public static let fieldsMax = 100

  /// Appends the fields of a trailer section that a ``ChunkedDecoder`` found.
  ///
  /// Fields that are not allowed are appended too: see ``isForbidden(_:in:)``.
  ///
  /// - Parameters:
  ///   - bytes: the span that the decoder was given.
  ///   - trailers: the range that the decoder returned.
  public static func parse(
    _ bytes: Span<UInt8>, _ trailers: ByteRange, into fields: inout [Field]
  ) throws(HTTP1Error) {
    var position = Int(trailers.start)
    var count = 0
    while position < trailers.end {
      let field = try FieldSection.line(bytes, from: &position, isFirst: count == 0)
      count &+= 1
      guard count <= fieldsMax else { throw .tooManyFields }
      fields.append(field)
    }
  }

  /// The same checks without keeping the fields.
  static func check(_ bytes: Span<UInt8>, _ trailers: ByteRange) throws(HTTP1Error) {
    var position = Int(trailers.start)
    var count = 0
    while position < trailers.end {
      _ = try FieldSection.line(bytes, from: &position, isFirst: count == 0)
      count &+= 1
      guard count <= fieldsMax else { throw .tooManyFields }
    }
  }

  /// Whether a field must not be passed on as a trailer (RFC 9110 §6.5.1): those that frame or
  /// route the message, authenticate, modify the request, control the response, or say how the
  /// content is to be read, and those that the gateway sets itself.
  public static func isForbidden(_ field: Field, in bytes: Span<UInt8>) -> Bool {
    switch field.known {
    case .userAgent, .referer, .server: return false
    case .other: break
    default: return true
    }
    if isContentField(field.name, in: bytes) { return true }
    if bytes.knownFieldSpelledWithUnderscores(field.name) != .other { return true }
    for name in forbiddenNames where bytes.equalsIgnoringCase(field.name, lowercase: name) {
      return true
    }
    return false
  }

  /// `Content-Digest` is made for trailers (RFC 9530 §2); all others of its kind say how to read
  /// what came before.
  private static func isContentField(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    guard name.count > 8 else { return false }
    let prefix = ByteRange(start: Int(name.start), count: 8)
    return bytes.equalsIgnoringCase(prefix, lowercase: "content-")
      && !bytes.equalsIgnoringCase(name, lowercase: "content-digest")
  }

  /// Of the fields that are not a ``KnownField``; all known ones but three are forbidden.
  private static let forbiddenNames = [
    "www-authenticate", "x-real-ip",
    "client-cert", "client-cert-chain", "client_cert", "client_cert_chain",
    "cache-control", "max-forwards", "pragma", "range", "age", "expires", "vary", "warning",
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
  ]
}
