/// Parses request heads (RFC 9112 §2 to §6), strictly: what two parsers could read differently is
/// refused. One parser serves a connection; it holds no bytes.
public struct RequestParser: Sendable {
  public let limits: HTTP1Limits
  private var progress = HeadProgress()

  public init(limits: HTTP1Limits = HTTP1Limits()) {
    self.limits = limits
  }

  /// Forgets a message that was not complete. Not needed after a complete one.
  public mutating func reset() {
    progress = HeadProgress()
  }

  /// Parses the head at the start of `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: everything received of this message so far, from its first byte. Bytes after the
  ///     head are not looked at.
  ///   - head: where the result goes; meaningful only when the head is complete.
  /// - Returns: true when the head is complete; false when more bytes are needed: call again with
  ///   the same bytes and those that followed.
  /// - Throws: what is wrong. The connection's framing is then in doubt: answer and close.
  public mutating func parse(
    _ bytes: Span<UInt8>, into head: inout RequestHead
  ) throws(HTTP1Error) -> Bool {
    if progress.hasBegun {
      return try resume(bytes, into: &head)
    }
    if try Self.parseAll(bytes, limits, into: &head) { return true }
    return try advance(bytes)
  }

  @inline(never)
  private mutating func resume(
    _ bytes: Span<UInt8>, into head: inout RequestHead
  ) throws(HTTP1Error) -> Bool {
    do {
      guard try advance(bytes) else { return false }
    } catch {
      // An earlier line may be wrong too: the first error is the one to report.
      _ = try Self.parseAll(bytes, limits, into: &head)
      throw error
    }
    progress = HeadProgress()
    return try Self.parseAll(bytes, limits, into: &head)
  }

  @inline(never)
  private mutating func advance(_ bytes: Span<UInt8>) throws(HTTP1Error) -> Bool {
    // Method, target, version and two spaces.
    let firstLineMax = HTTP1Limits.methodBytesMax &+ limits.targetBytes &+ 10
    return try progress.advance(bytes, limits: limits, firstLineMax: firstLineMax, skipsEmptyLines: true)
  }

  /// Parses the whole head in one pass; false when the bytes end before it does.
  private static func parseAll(
    _ bytes: Span<UInt8>, _ limits: HTTP1Limits, into head: inout RequestHead
  ) throws(HTTP1Error) -> Bool {
    guard let start = try skipEmptyLines(bytes) else { return false }
    guard let targetStart = try RequestLine.parseMethod(bytes, from: start, into: &head),
      let targetEnd = try RequestLine.parseTarget(bytes, from: targetStart, limits, into: &head),
      let fieldsStart = try RequestLine.parseVersion(bytes, from: targetEnd, into: &head)
    else { return false }

    var meaning = FieldMeaning()
    head.fields.removeAll(keepingCapacity: true)
    let end = try FieldSection.scan(
      bytes, from: fieldsStart, fieldsMax: limits.fields, into: &head.fields, &meaning)
    guard end != FieldSection.incomplete else { return false }
    guard end <= limits.headBytes else { throw .headTooLarge }
    head.byteCount = end
    head.framing = try meaning.framing(head.version) ?? .none
    try setHost(bytes, meaning, &head)
    head.isPersistent = meaning.isPersistent(head.version)
    head.hasConnectionOptions = meaning.hasConnectionOptions
    head.upgradeProtocol = .empty
    // An HTTP/1.0 client cannot mean it (RFC 9110 §10.1.1).
    head.expectsContinue = meaning.expectsContinue && head.version == .http11
    // Some servers take the first, others the last: who checks credentials must see what the origin sees.
    if meaning.hasSeveralCredentials { throw .severalCredentials }
    if meaning.expectsMore { throw .unknownExpectation }
    return true
  }

  @inline(__always)
  private static func skipEmptyLines(_ bytes: Span<UInt8>) throws(HTTP1Error) -> Int? {
    var position = 0
    while position < bytes.count, bytes[position] == ASCII.carriageReturn {
      guard position < HTTP1Limits.emptyLinesMax &* 2 else { throw .tooManyEmptyLines }
      guard position &+ 1 < bytes.count else { return nil }
      guard bytes[position &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
      position &+= 2
    }
    return position
  }

  /// Checks `Host` and decides which host the request is for (RFC 9112 §3.2).
  @inline(__always)
  private static func setHost(
    _ bytes: Span<UInt8>, _ meaning: FieldMeaning, _ head: inout RequestHead
  ) throws(HTTP1Error) {
    guard !meaning.hasSeveralHosts else { throw .severalHosts }
    guard meaning.hasHost else {
      guard head.version == .http10 else { throw .missingHost }
      if head.targetForm == .origin || head.targetForm == .asterisk {
        head.authority = .empty
        head.host = .empty
      }
      return
    }
    let field = try Authority.parse(bytes, meaning.host)
    switch head.targetForm {
    case .origin, .asterisk:
      head.authority = meaning.host
      head.host = field.host
    // Host is checked like any other, and has no say (RFC 9112 §3.2.2).
    case .absolute, .authority: break
    }
  }
}
