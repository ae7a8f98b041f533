import DataPlane
import HTTPCodec

/// What a cache has to know of a request's fields, read in one go. Ranges are into the exchange's input.
struct CacheRequest {
  var directives = RequestDirectives()
  var hasAuthorization = false
  var ifNoneMatch: ByteRange?
  var ifModifiedSince: ByteRange?
  var range: ByteRange?
  var ifRange: ByteRange?
  /// `If-Match` or `If-Unmodified-Since`: these are for the origin to evaluate (RFC 9111 §4.3.2).
  var mustAskOrigin = false

  init(_ exchange: Exchange, obeysDirectives: Bool) {
    let input = exchange.input
    let bytes = input.bytes
    var hasPragma = false
    for field in exchange.request.fields {
      switch field.known {
      case .authorization: hasAuthorization = true
      case .other: note(field, bytes, obeysDirectives, &hasPragma)
      default: break
      }
    }
    // RFC 9111 §5.4: for clients that know nothing better.
    if hasPragma, !directives.isGiven, obeysDirectives { directives.noCache = true }
  }

  private mutating func note(
    _ field: Field, _ bytes: Span<UInt8>, _ obeysDirectives: Bool, _ hasPragma: inout Bool
  ) {
    func has(_ text: String) -> Bool { bytes.equalsIgnoringCase(field.name, lowercase: text) }
    switch field.name.count {
    case 5: if has("range") { range = field.value }
    case 6: if has("pragma") { hasPragma = bytes.equalsIgnoringCase(field.value, lowercase: "no-cache") }
    case 8:
      if has("if-match") { mustAskOrigin = true }
      if has("if-range") { ifRange = field.value }
    case 13:
      if has("cache-control") {
        if obeysDirectives { directives.note(field.value, in: bytes) }
      } else if has("if-none-match") {
        // Several lines are one list; who sends that is not worth more than asking the origin.
        if ifNoneMatch != nil { mustAskOrigin = true }
        ifNoneMatch = field.value
      }
    case 17: if has("if-modified-since") { ifModifiedSince = field.value }
    case 19: if has("if-unmodified-since") { mustAskOrigin = true }
    default: break
    }
  }
}
