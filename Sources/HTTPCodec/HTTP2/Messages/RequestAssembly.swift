extension HPACKDecoder {
  /// Decodes a request into `lines` and its head.
  mutating func decodeRequest(
    _ block: Span<UInt8>, head: inout RequestHead, endStream: Bool, limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    var message = MessageAssembly(.request, limits: limits)
    try decode(block, into: &message, fields: &head.fields)
    guard message.seen.contains(.method) else { throw .malformed(.missingPseudoField) }
    head.method = HTTPMethod(rawValue: UInt8(truncatingIfNeeded: message.methodDetail)) ?? .other
    head.methodRange = message.method
    head.version = .http2
    head.upgradeProtocol = message.protocolName
    try setTarget(message, limits, &head)
    try setHost(message, &head)
    head.framing = try framing(message, head.method, endStream: endStream)
    head.isPersistent = true
    head.hasConnectionOptions = false
    head.expectsContinue = message.meaning.expectsContinue && !endStream
    if message.meaning.hasSeveralCredentials { throw .refused(.severalCredentials) }
    if message.meaning.expectsMore { throw .refused(.unknownExpectation) }
    if message.cookieCount > 1 { joinCookies(message, &head.fields) }
    head.byteCount = lines.count
  }

  /// Sets the target: that of CONNECT is the authority alone (RFC 9113 §8.5), unless it names a
  /// protocol (RFC 8441 §4).
  @inline(__always)
  private func setTarget(
    _ message: MessageAssembly, _ limits: HTTP2HeadLimits, _ head: inout RequestHead
  ) throws(HTTP2BlockError) {
    if head.method == .connect, !message.seen.contains(.protocol) {
      return try setConnectTarget(message, &head)
    }
    if message.seen.contains(.protocol) {
      guard head.method == .connect else { throw .malformed(.wrongPseudoField) }
      guard message.seen.contains(.authority) else { throw .malformed(.missingPseudoField) }
    }
    guard message.seen.isSuperset(of: [.scheme, .path]) else { throw .malformed(.missingPseudoField) }
    let path = message.path
    guard Int(path.count) <= limits.targetBytes else { throw .refused(.targetTooLong) }
    head.target = path
    if lines.bytes[Int(path.start)] == ASCII.asterisk {
      guard head.method == .options else { throw .refused(.wrongTargetForm) }
      head.targetForm = .asterisk
      head.path = .empty
      head.hasQuery = false
      head.query = .empty
      return
    }
    head.targetForm = .origin
    let pathCount = Int(message.pathDetail)
    head.path = ByteRange(start: Int(path.start), count: pathCount)
    head.hasQuery = pathCount < Int(path.count)
    head.query =
      head.hasQuery
      ? ByteRange(start: Int(path.start) &+ pathCount &+ 1, count: Int(path.count) &- pathCount &- 1) : .empty
  }

  private func setConnectTarget(
    _ message: MessageAssembly, _ head: inout RequestHead
  ) throws(HTTP2BlockError) {
    guard message.seen.isDisjoint(with: [.scheme, .path]) else { throw .malformed(.wrongPseudoField) }
    guard message.seen.contains(.authority) else { throw .malformed(.missingPseudoField) }
    // RFC 9110 §9.3.6: there is no port that CONNECT could mean by itself.
    guard message.authorityDetail & FieldTraits.hasPort != 0 else { throw .refused(.invalidTarget) }
    head.targetForm = .authority
    head.target = message.authority
    head.path = .empty
    head.hasQuery = false
    head.query = .empty
  }

  /// Decides which host the request is for: `:authority`, which `Host` must repeat where there are
  /// both (RFC 9113 §8.3.1).
  @inline(__always)
  private func setHost(
    _ message: MessageAssembly, _ head: inout RequestHead
  ) throws(HTTP2BlockError) {
    let meaning = message.meaning
    guard message.seen.contains(.authority) else { return try setHostFromField(message, &head) }
    head.authority = message.authority
    let hostCount = Int(message.authorityDetail & (FieldTraits.hasPort &- 1))
    head.host = ByteRange(start: Int(message.authority.start), count: hostCount)
    guard meaning.hasHost else { return }
    guard !meaning.hasSeveralHosts else { throw .refused(.severalHosts) }
    guard lines.bytes.equalIgnoringCase(meaning.host, message.authority) else {
      throw .malformed(.hostDiffers)
    }
  }

  private func setHostFromField(
    _ message: MessageAssembly, _ head: inout RequestHead
  ) throws(HTTP2BlockError) {
    let meaning = message.meaning
    guard meaning.hasHost else { throw .refused(.missingHost) }
    guard !meaning.hasSeveralHosts else { throw .refused(.severalHosts) }
    do throws(HTTP1Error) {
      head.host = try Authority.parse(lines.bytes, meaning.host).host
      head.authority = meaning.host
    } catch { throw .refused(error) }
  }

  /// Where the content ends: HTTP/2 knows only the length and the end of the stream.
  @inline(__always)
  private func framing(
    _ message: MessageAssembly, _ method: HTTPMethod, endStream: Bool
  ) throws(HTTP2BlockError) -> BodyFraming {
    let meaning = message.meaning
    if method == .connect {
      // The bytes of a tunnel are no content: a length would be understood differently further on.
      guard !meaning.hasContentLength else { throw .refused(.invalidContentLength) }
      return .none
    }
    guard meaning.hasContentLength else { return endStream ? .none : .untilEndOfStream }
    guard !endStream || meaning.contentLength == 0 else { throw .malformed(.contentLengthDiffers) }
    return .length(meaning.contentLength)
  }

  /// Joins the crumbs of `cookie` into one line behind all others (RFC 9113 §8.2.3).
  @inline(never)
  private mutating func joinCookies(_ message: MessageAssembly, _ fields: inout [Field]) {
    // Lines are copied within one array: it must not move while they are.
    lines.reserve(message.cookieBytes &+ message.cookieCount &* 2 &+ 16)
    var joined: Field?
    var kept = 0
    for index in fields.indices {
      let field = fields[index]
      guard field.known == .cookie else {
        fields[kept] = field
        kept &+= 1
        continue
      }
      if joined == nil {
        let start = lines.count
        lines.appendOwn(ByteRange(start: Int(field.name.start), count: Int(field.name.count) &+ 2))
        joined = Field(
          name: ByteRange(start: start, count: Int(field.name.count)),
          value: ByteRange(start: lines.count, count: 0), known: .cookie)
      } else if let joined, !field.value.isEmpty, lines.count > Int(joined.value.start) {
        // Nothing separates an empty crumb: a value must not begin or end with white space.
        lines.append(pair: LineText.semicolonSpace)
      }
      lines.appendOwn(field.value)
    }
    fields.removeLast(fields.count &- kept)
    guard var joined else { return }
    joined.value = ByteRange(start: Int(joined.value.start), count: lines.count &- Int(joined.value.start))
    lines.append(pair: LineText.end)
    fields.append(joined)
  }
}
