extension HPACKDecoder {
  /// Decodes the block that begins a request (RFC 9113 §8.3.1).
  ///
  /// The sink receives field lines as HTTP/1 writes them, pseudo-fields among them; nothing on error.
  /// Where a client sent several `cookie` fields, the fields list one, which joins them (§8.2.3).
  ///
  /// For CONNECT the framing is ``BodyFraming/none``: what follows is a tunnel, not content.
  ///
  /// - Parameters:
  ///   - block: the whole field block, of one HEADERS frame and its CONTINUATION frames.
  ///   - sink: empty; the ranges of the head count from its first byte.
  ///   - head: where the result goes; meaningful only where nothing is thrown.
  ///   - endStream: whether END_STREAM was set.
  public mutating func decodeRequest<Sink: ByteSink>(
    _ block: Span<UInt8>, into sink: Sink, head: inout RequestHead, endStream: Bool,
    limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    try decodeRequest(block, head: &head, endStream: endStream, limits: limits)
    appendLines(to: sink)
  }

  /// Decodes a block that begins a response, interim or final (RFC 9113 §8.3.2).
  ///
  /// A response without content, such as that to HEAD, has the framing ``BodyFraming/none`` also where
  /// END_STREAM comes later: DATA that is not empty is then an error, unless it is a tunnel's.
  ///
  /// - Parameter requestMethod: the method of the request that this answers; it decides the framing.
  public mutating func decodeResponse<Sink: ByteSink>(
    _ block: Span<UInt8>, into sink: Sink, head: inout ResponseHead, requestMethod: HTTPMethod,
    endStream: Bool, limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    try decodeResponse(
      block, head: &head, requestMethod: requestMethod, endStream: endStream, limits: limits)
    appendLines(to: sink)
  }

  /// Decodes the block that ends a message (RFC 9113 §8.1). The fields are replaced; those that are
  /// not allowed are among them: see ``TrailerSection/isForbidden(_:in:)``.
  public mutating func decodeTrailers<Sink: ByteSink>(
    _ block: Span<UInt8>, into sink: Sink, fields: inout [Field], limits: HTTP2HeadLimits
  ) throws(HTTP2BlockError) {
    var message = MessageAssembly(.trailers, limits: limits)
    try decode(block, into: &message, fields: &fields)
    appendLines(to: sink)
  }

  /// Decodes a block that nobody wants, to keep the compression context in step.
  ///
  /// - Throws: ``HTTP2BlockError/connection(_:)`` only.
  public mutating func skip(_ block: Span<UInt8>) throws(HTTP2BlockError) {
    var message = MessageAssembly(.nothing, limits: HTTP2HeadLimits())
    var fields: [Field] = []
    try decode(block, into: &message, fields: &fields)
  }

  @inline(__always)
  private func appendLines<Sink: ByteSink>(to sink: Sink) {
    sink.append(lines.bytes.extracting(0..<lines.count))
  }
}
