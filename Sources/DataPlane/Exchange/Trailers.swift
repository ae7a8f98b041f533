import HTTPCodec
import Runtime

/// Trailer fields (RFC 9110 §6.5), between the chunked coding and streams.
extension Exchange {
  /// Keeps the trailer lines of chunked content, for a stream that they will end.
  func keepTrailers(_ source: Buffer, _ section: ByteRange) throws(HTTP1Error) {
    if section.isEmpty { return }
    let lines = trailers ?? worker.buffers.take()
    trailers = lines
    lines.removeAll()
    lines.append(source, range: section.range)
    trailerFields.removeAll(keepingCapacity: true)
    try TrailerSection.parse(lines.bytes, ByteRange(start: 0, count: lines.count), into: &trailerFields)
  }

  func dropTrailers() {
    guard let trailers else { return }
    worker.buffers.give(trailers)
    self.trailers = nil
    trailerFields.removeAll(keepingCapacity: true)
  }

  /// Copies the trailer fields of chunked content that may be passed on.
  func appendTrailers(_ source: Buffer, _ section: ByteRange, to out: Buffer) throws(HTTP1Error) {
    trailerFields.removeAll(keepingCapacity: true)
    try TrailerSection.parse(source.bytes, section, into: &trailerFields)
    appendTrailers(trailerFields, of: source, to: out)
    trailerFields.removeAll(keepingCapacity: true)
  }

  /// Copies the trailer fields that may be passed on (RFC 9110 §6.5.1).
  func appendTrailers(_ fields: [Field], of source: Buffer, to out: Buffer) {
    let bytes = source.bytes
    for field in fields where isTrailerPassedOn(field, in: bytes) {
      out.append(bytes.extracting(field.name.range))
      out.append(": ")
      out.append(bytes.extracting(field.value.range))
      out.append("\r\n")
    }
  }

  /// Some servers take trailers for fields of the head: what must not stand there, or was taken out of it, must not
  /// come behind the content.
  private func isTrailerPassedOn(_ field: Field, in bytes: Span<UInt8>) -> Bool {
    if TrailerSection.isForbidden(field, in: bytes) || ConsumerFields.isOne(field.name, in: bytes) {
      return false
    }
    return !requestEdits.drops(field.name, in: bytes) && !responseEdits.drops(field.name, in: bytes)
  }

  /// Whether trailers follow the request's content on the endpoint's stream.
  var hasRequestTrailers: Bool {
    if upload.dropsTrailers { return false }
    if let stream = client.stream { return stream.hasTrailers }
    return upload.isChunked && trailers != nil
  }

  /// Whether trailers follow the response's content on the client's stream.
  var hasResponseTrailers: Bool {
    if let stream = upstream?.stream { return stream.hasTrailers }
    return download.isChunked && trailers != nil
  }

  /// Ends the endpoint's stream, with trailers where there are some.
  func endRequest(on stream: HTTP2Stream) {
    if upload.dropsTrailers { return stream.finish() }
    if let source = client.stream {
      if let lines = source.trailers { sendTrailers(source.trailerFields, of: lines, on: stream) }
    } else if let trailers {
      sendTrailers(trailerFields, of: trailers, on: stream)
      dropTrailers()
    }
    stream.finish()
  }

  /// Ends the client's stream, with trailers where there are some.
  func endResponse(on stream: HTTP2Stream) {
    if let source = upstream?.stream {
      if let lines = source.trailers { sendTrailers(source.trailerFields, of: lines, on: stream) }
    } else if let trailers {
      sendTrailers(trailerFields, of: trailers, on: stream)
      dropTrailers()
    }
    stream.finish()
  }

  private func sendTrailers(_ fields: [Field], of lines: Buffer, on stream: HTTP2Stream) {
    guard let connection = stream.connection, stream.slot >= 0 else { return }
    let bytes = lines.bytes
    guard fields.contains(where: { isTrailerPassedOn($0, in: bytes) }) else { return }
    connection.engine.encoder.begin()
    for field in fields where isTrailerPassedOn(field, in: bytes) {
      connection.engine.encoder.encode(field, in: bytes)
    }
    connection.appendHeaders(slot: stream.slot, endStream: true)
    stream.noteFinished()
  }
}
