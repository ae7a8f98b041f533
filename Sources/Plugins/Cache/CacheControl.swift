import HTTPCodec

/// What a response's `Cache-Control` says (RFC 9111 §5.2.2, RFC 5861). Of directives that come twice the more
/// restrictive counts, and a number that is none is 0: what cannot be read is not fresh (§4.2.1).
struct ResponseDirectives: Equatable, Sendable {
  var isGiven = false
  var noStore = false
  /// Also where it names fields: a cache may take that for the directive without (§5.2.2.4).
  var noCache = false
  /// As `noCache`.
  var isPrivate = false
  var isPublic = false
  var mustRevalidate = false
  var proxyRevalidate = false
  var mustUnderstand = false
  /// Seconds.
  var maxAge: Int64?
  var sharedMaxAge: Int64?
  var staleWhileRevalidate: Int64?
  var staleIfError: Int64?

  /// Takes note of one field line's value.
  mutating func note(_ value: ByteRange, in bytes: Span<UInt8>) {
    isGiven = true
    var cursor = DirectiveCursor(value)
    while let directive = cursor.next(in: bytes) {
      let name = directive.name
      func has(_ text: String) -> Bool { bytes.equalsIgnoringCase(name, lowercase: text) }
      func seconds(_ known: Int64?) -> Int64 {
        min(DeltaSeconds.read(directive.argument, in: bytes) ?? 0, known ?? .max)
      }
      switch name.count {
      case 6:
        if has("public") { isPublic = true }
      case 7:
        if has("private") { isPrivate = true } else if has("max-age") { maxAge = seconds(maxAge) }
      case 8:
        if has("no-store") {
          noStore = true
        } else if has("no-cache") {
          noCache = true
        } else if has("s-maxage") {
          sharedMaxAge = seconds(sharedMaxAge)
        }
      case 14: if has("stale-if-error") { staleIfError = seconds(staleIfError) }
      case 15:
        if has("must-revalidate") { mustRevalidate = true }
        if has("must-understand") { mustUnderstand = true }
      case 16: if has("proxy-revalidate") { proxyRevalidate = true }
      case 22: if has("stale-while-revalidate") { staleWhileRevalidate = seconds(staleWhileRevalidate) }
      default: break
      }
    }
    // Something may stand in the string that was meant to be a directive.
    if cursor.isBroken { noStore = true }
  }
}

/// What a request's `Cache-Control` says (RFC 9111 §5.2.1).
struct RequestDirectives: Equatable, Sendable {
  var isGiven = false
  var noCache = false
  var noStore = false
  var onlyIfCached = false
  /// Seconds.
  var maxAge: Int64?
  var minFresh: Int64?
  /// ``DeltaSeconds/max`` where any age will do.
  var maxStale: Int64?

  mutating func note(_ value: ByteRange, in bytes: Span<UInt8>) {
    isGiven = true
    var cursor = DirectiveCursor(value)
    while let directive = cursor.next(in: bytes) {
      let name = directive.name
      func has(_ text: String) -> Bool { bytes.equalsIgnoringCase(name, lowercase: text) }
      func seconds() -> Int64? { DeltaSeconds.read(directive.argument, in: bytes) }
      switch name.count {
      case 7: if has("max-age") { maxAge = min(seconds() ?? 0, maxAge ?? .max) }
      case 8:
        if has("no-cache") { noCache = true } else if has("no-store") { noStore = true }
      case 9:
        if has("min-fresh") {
          minFresh = max(seconds() ?? DeltaSeconds.max, minFresh ?? 0)
        } else if has("max-stale") {
          // Without an argument: any age. One that cannot be read allows nothing.
          let allowed = directive.argument == nil ? DeltaSeconds.max : seconds() ?? 0
          maxStale = min(allowed, maxStale ?? .max)
        }
      case 14: if has("only-if-cached") { onlyIfCached = true }
      default: break
      }
    }
    if cursor.isBroken { noStore = true }
  }
}
