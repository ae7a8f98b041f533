/// The forms of a request target that are not a path (RFC 9112 §3.2).
enum RequestTarget {
  /// Parses the absolute, authority and asterisk forms of `head.target`.
  ///
  /// - Parameter pathEnd: where the query or the target ends.
  @inline(never)
  static func parseOtherForm(
    _ bytes: Span<UInt8>, pathEnd: Int, into head: inout RequestHead
  ) throws(HTTP1Error) {
    if head.method == .connect { return try parseAuthorityForm(bytes, into: &head) }
    if head.target.count == 1, bytes[Int(head.target.start)] == ASCII.asterisk {
      guard head.method == .options else {
        // The preface of HTTP/2 is made to be refused for its version (RFC 9113 §3.4).
        throw bytes.equalsIgnoringCase(head.methodRange, lowercase: "pri")
          ? .unsupportedVersion : .wrongTargetForm
      }
      head.targetForm = .asterisk
      head.path = .empty
      return
    }
    try parseAbsoluteForm(bytes, pathEnd: pathEnd, into: &head)
  }

  /// `host:port`, of CONNECT only; the port is required (RFC 9112 §3.2.3).
  private static func parseAuthorityForm(
    _ bytes: Span<UInt8>, into head: inout RequestHead
  ) throws(HTTP1Error) {
    let first = bytes[Int(head.target.start)]
    guard first != ASCII.slash, first != ASCII.asterisk, !head.hasQuery else { throw .wrongTargetForm }
    let authority: Authority
    do { authority = try Authority.parse(bytes, head.target) } catch { throw .invalidTarget }
    guard authority.port != nil else { throw .invalidTarget }
    head.targetForm = .authority
    head.path = .empty
    head.authority = head.target
    head.host = authority.host
  }

  /// `http://host:port/path?query` (RFC 9112 §3.2.2).
  private static func parseAbsoluteForm(
    _ bytes: Span<UInt8>, pathEnd: Int, into head: inout RequestHead
  ) throws(HTTP1Error) {
    let start = Int(head.target.start)
    let colon = bytes.index(of: ASCII.colon, from: start, to: pathEnd)
    guard colon &+ 2 < pathEnd, bytes[colon &+ 1] == ASCII.slash, bytes[colon &+ 2] == ASCII.slash else {
      throw isAuthority(bytes, head.target) ? .wrongTargetForm : .invalidTarget
    }
    let scheme = ByteRange(start: start, count: colon &- start)
    guard
      bytes.equalsIgnoringCase(scheme, lowercase: "http")
        || bytes.equalsIgnoringCase(scheme, lowercase: "https")
    else { throw .unsupportedScheme }
    let authorityStart = colon &+ 3
    let authorityEnd = bytes.index(of: ASCII.slash, from: authorityStart, to: pathEnd)
    let range = ByteRange(start: authorityStart, count: authorityEnd &- authorityStart)
    guard bytes.index(of: ASCII.at, from: authorityStart, to: authorityEnd) == authorityEnd else {
      throw .userInformation
    }
    let authority = try Authority.parse(bytes, range)
    head.targetForm = .absolute
    head.authority = range
    head.host = authority.host
    head.path = ByteRange(start: authorityEnd, count: pathEnd &- authorityEnd)
  }

  private static func isAuthority(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
    (try? Authority.parse(bytes, range)) != nil
  }
}
