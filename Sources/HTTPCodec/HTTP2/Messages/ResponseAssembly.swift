extension HPACKDecoder {
  /// Decodes a response into `lines` and its head.
  mutating func decodeResponse(
    _ block: Span<UInt8>, head: inout ResponseHead, requestMethod: HTTPMethod, endStream: Bool,
    limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    var message = MessageAssembly(.response, limits: limits)
    try decode(block, into: &message, fields: &head.fields)
    guard message.seen.contains(.status) else { throw .malformed(.missingPseudoField) }
    head.status = UInt16(truncatingIfNeeded: message.status)
    if head.status < 200, endStream { throw .malformed(.interimResponseEndsStream) }
    head.reason = .empty
    head.version = .http2
    head.framing = try framing(message.meaning, head.status, requestMethod, endStream: endStream)
    head.isPersistent = true
    head.hasConnectionOptions = false
    head.byteCount = lines.count
  }

  @inline(__always)
  private func framing(
    _ meaning: FieldMeaning, _ status: UInt16, _ requestMethod: HTTPMethod, endStream: Bool
  ) throws(HTTP2BlockError) -> BodyFraming {
    // The length is then that of another response's content (RFC 9110 §8.6).
    guard ResponseParser.hasContent(status, requestMethod) else { return .none }
    guard meaning.hasContentLength else { return endStream ? .none : .untilEndOfStream }
    guard !endStream || meaning.contentLength == 0 else { throw .malformed(.contentLengthDiffers) }
    return .length(meaning.contentLength)
  }
}
