/// Parses response heads (RFC 9112 §4 to §6), as strictly as requests: a response whose end two
/// parsers could see at different places must not pass.
public struct ResponseParser: Sendable {
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
  ///   - bytes: everything received of this message so far, from its first byte.
  ///   - requestMethod: the method of the request that this answers; it decides the framing.
  ///   - head: where the result goes; meaningful only when the head is complete.
  /// - Returns: true when the head is complete; false when more bytes are needed: call again with
  ///   the same bytes and those that followed.
  /// - Throws: what is wrong; close the connection and answer 502.
  public mutating func parse(
    _ bytes: Span<UInt8>, requestMethod: HTTPMethod, into head: inout ResponseHead
  ) throws(HTTP1Error) -> Bool {
    if progress.hasBegun {
      return try resume(bytes, requestMethod, into: &head)
    }
    if try Self.parseAll(bytes, limits, requestMethod, into: &head) { return true }
    return try advance(bytes)
  }

  @inline(never)
  private mutating func resume(
    _ bytes: Span<UInt8>, _ requestMethod: HTTPMethod, into head: inout ResponseHead
  ) throws(HTTP1Error) -> Bool {
    do {
      guard try advance(bytes) else { return false }
    } catch {
      // An earlier line may be wrong too: the first error is the one to report.
      _ = try Self.parseAll(bytes, limits, requestMethod, into: &head)
      throw error
    }
    progress = HeadProgress()
    return try Self.parseAll(bytes, limits, requestMethod, into: &head)
  }

  @inline(never)
  private mutating func advance(_ bytes: Span<UInt8>) throws(HTTP1Error) -> Bool {
    // A status line has no limit of its own: its reason is part of the head.
    try progress.advance(bytes, limits: limits, firstLineMax: .max, skipsEmptyLines: false)
  }

  private static func parseAll(
    _ bytes: Span<UInt8>, _ limits: HTTP1Limits, _ requestMethod: HTTPMethod,
    into head: inout ResponseHead
  ) throws(HTTP1Error) -> Bool {
    guard let reasonStart = try StatusLine.parseStatus(bytes, into: &head),
      let fieldsStart = try StatusLine.parseReason(bytes, from: reasonStart, into: &head)
    else { return false }

    var meaning = FieldMeaning()
    head.fields.removeAll(keepingCapacity: true)
    let end = try FieldSection.scan(
      bytes, from: fieldsStart, fieldsMax: limits.fields, into: &head.fields, &meaning)
    guard end != FieldSection.incomplete else { return false }
    guard end <= limits.headBytes else { throw .headTooLarge }
    head.byteCount = end
    let framing = try meaning.framing(head.version)
    head.framing = hasContent(head.status, requestMethod) ? framing ?? .untilClose : .none
    head.isPersistent = meaning.isPersistent(head.version) && head.framing != .untilClose
    head.hasConnectionOptions = meaning.hasConnectionOptions
    return true
  }

  /// Whether content follows, whatever the fields say (RFC 9112 §6.3).
  @inline(__always)
  static func hasContent(_ status: UInt16, _ requestMethod: HTTPMethod) -> Bool {
    switch status {
    case 100..<200, 204, 304: false
    // After CONNECT a tunnel follows.
    case 200..<300: requestMethod != .head && requestMethod != .connect
    default: requestMethod != .head
    }
  }
}

/// The parts of a status line (RFC 9112 §4).
private enum StatusLine {
  /// Parses version and status; returns the index after the status.
  @inline(__always)
  static func parseStatus(
    _ bytes: Span<UInt8>, into head: inout ResponseHead
  ) throws(HTTP1Error) -> Int? {
    // "HTTP/1.1", little-endian.
    if let word = bytes.word(at: 0), word == 0x312E_312F_5054_5448 {
      head.version = .http11
    } else {
      guard let version = try HTTPVersion.parse(bytes, from: 0) else { return nil }
      guard let known = version.known else { throw .unsupportedVersion }
      head.version = known
    }
    guard bytes.count > 8 else { return nil }
    guard bytes[8] == ASCII.space else { throw .invalidStatusLine }
    guard bytes.count >= 12 else {
      for index in 9..<bytes.count where !CharacterClass.isDigit(bytes[index]) { throw .invalidStatusLine }
      return nil
    }
    let hundreds = UInt16(bytes[9] &- ASCII.zero)
    let tens = UInt16(bytes[10] &- ASCII.zero)
    let ones = UInt16(bytes[11] &- ASCII.zero)
    guard hundreds < 10, tens < 10, ones < 10 else { throw .invalidStatusLine }
    guard hundreds >= 1, hundreds <= 5 else { throw .invalidStatus }
    head.status = hundreds &* 100 &+ tens &* 10 &+ ones
    return 12
  }

  /// Parses the reason, which may be missing together with the space before it, and the end of
  /// the line; returns where the fields begin.
  @inline(__always)
  static func parseReason(
    _ bytes: Span<UInt8>, from start: Int, into head: inout ResponseHead
  ) throws(HTTP1Error) -> Int? {
    let end = FieldSection.endOfLine(bytes, from: start)
    if end > start, bytes[start] != ASCII.space { throw .invalidStatusLine }
    guard end < bytes.count else { return nil }
    guard bytes[end] == ASCII.carriageReturn else { throw FieldSection.lineError(bytes[end]) }
    guard end &+ 1 < bytes.count else { return nil }
    guard bytes[end &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
    head.reason = end > start ? ByteRange(start: start &+ 1, count: end &- start &- 1) : .empty
    return end &+ 2
  }
}
