@testable import HTTPCodec

/// A sink that keeps what it is given.
final class HPACKSink: ByteSink {
  var bytes: [UInt8] = []
  var count: Int { bytes.count }

  func append(_ byte: UInt8) { bytes.append(byte) }

  func append(_ more: Span<UInt8>) {
    for index in more.indices { bytes.append(more[index]) }
  }

  func replaceBytes(at position: Int, with more: Span<UInt8>) {
    for index in more.indices { bytes[position + index] = more[index] }
  }
}

/// The bytes that hexadecimal digits stand for; blanks are passed over.
func hex(_ text: String) -> [UInt8] {
  let digits = text.utf8.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

extension HPACKDynamicTable {
  /// The entries as text, the one that was inserted last first.
  var texts: [String] {
    (0..<count).map { index in
      let entry = self[index]
      let start = lineStart(of: entry)
      return text(lines.storage, ByteRange(start: start, count: entry.lineCount - 2))
    }
  }
}

extension HPACKDecoder {
  /// Decodes a block whose fields may not make a message; the fields as text.
  mutating func texts(
    _ block: [UInt8], of kind: MessageAssembly.Kind = .request
  ) throws(HTTP2BlockError) -> [String] {
    var message = MessageAssembly(kind, limits: HTTP2HeadLimits(headBytes: 1 << 20, fields: 1000))
    var fields: [Field] = []
    try decode(block.span, into: &message, fields: &fields)
    let all = text(lines.storage, ByteRange(start: 0, count: lines.count))
    return all.replacing("\r\n", with: "\n").split(separator: "\n").map(String.init)
  }
}

extension HPACKEncoder {
  /// The block as an array.
  var blockBytes: [UInt8] {
    let sink = HPACKSink()
    append(0..<blockCount, to: sink)
    return sink.bytes
  }

  mutating func encode(_ name: String, _ value: String, _ indexing: HPACKIndexing = .automatic) {
    let name = bytes(name)
    let value = bytes(value)
    encode(name: name.span, value: value.span, indexing: indexing)
  }
}

func huffmanEncoded(_ string: [UInt8]) -> [UInt8] {
  var output = LineBuffer()
  output.append(encoding: string.span, huffmanCount: HuffmanEncoding.count(string.span))
  return Array(output.storage[0..<output.count])
}

/// Nil where the code is not valid.
func huffmanDecoded(_ coded: [UInt8]) -> [UInt8]? {
  var output = LineBuffer()
  output.append(0x2A)
  guard output.append(huffman: coded.span, from: 0, count: coded.count) else { return nil }
  return Array(output.storage[1..<output.count])
}

/// One field of a block: a literal that enters no table; the name and the value may be anything.
func literal(_ name: [UInt8], _ value: [UInt8], pattern: UInt8 = 0) -> [UInt8] {
  var output = LineBuffer()
  output.append(pattern)
  for string in [name, value] {
    HPACKInteger.encode(string.count, pattern: 0, prefixMask: 0x7F, into: &output)
    output.append(string.span, from: 0, count: string.count)
  }
  return Array(output.storage[0..<output.count])
}

/// A block of literal fields. The order and the repetitions are as written.
func block(_ fields: KeyValuePairs<String, String>) -> [UInt8] {
  fields.flatMap { literal(bytes($0.key), bytes($0.value)) }
}

/// What became of a block.
enum BlockOutcome<Value: Equatable & Sendable>: Equatable, Sendable {
  case accepted(Value)
  case refused(HTTP2BlockError)

  var value: Value? {
    if case .accepted(let value) = self { value } else { nil }
  }

  var error: HTTP2BlockError? {
    if case .refused(let error) = self { error } else { nil }
  }
}

extension HPACKDecoder {
  mutating func request(
    _ block: [UInt8], endStream: Bool = true, limits: HTTP2HeadLimits = HTTP2HeadLimits()
  ) -> BlockOutcome<RequestSummary> {
    let sink = HPACKSink()
    var head = RequestHead()
    do {
      try decodeRequest(block.span, into: sink, head: &head, endStream: endStream, limits: limits)
      return .accepted(RequestSummary(head, sink.bytes))
    } catch {
      return sink.count == 0 ? .refused(error) : .refused(.connection(.internalError))
    }
  }

  mutating func response(
    _ block: [UInt8], to method: HTTPMethod = .get, endStream: Bool = true,
    limits: HTTP2HeadLimits = HTTP2HeadLimits()
  ) -> BlockOutcome<ResponseSummary> {
    let sink = HPACKSink()
    var head = ResponseHead()
    do {
      try decodeResponse(
        block.span, into: sink, head: &head, requestMethod: method, endStream: endStream, limits: limits)
      return .accepted(ResponseSummary(head, sink.bytes))
    } catch { return .refused(error) }
  }

  mutating func trailers(
    _ block: [UInt8], limits: HTTP2HeadLimits = HTTP2HeadLimits()
  ) -> BlockOutcome<[FieldSummary]> {
    let sink = HPACKSink()
    var fields: [Field] = []
    do {
      try decodeTrailers(block.span, into: sink, fields: &fields, limits: limits)
      return .accepted(fields.map { FieldSummary($0, sink.bytes) })
    } catch { return .refused(error) }
  }
}

/// A request from literal fields, by a decoder of its own.
func http2Request(
  _ fields: KeyValuePairs<String, String>, endStream: Bool = true,
  limits: HTTP2HeadLimits = HTTP2HeadLimits()
) -> BlockOutcome<RequestSummary> {
  var decoder = HPACKDecoder()
  return decoder.request(block(fields), endStream: endStream, limits: limits)
}

/// A GET request with more fields.
func http2RequestWith(
  _ fields: KeyValuePairs<String, String>, endStream: Bool = true,
  limits: HTTP2HeadLimits = HTTP2HeadLimits()
) -> BlockOutcome<RequestSummary> {
  var decoder = HPACKDecoder()
  let first = block([":method": "GET", ":scheme": "https", ":authority": "a.example", ":path": "/"])
  return decoder.request(first + block(fields), endStream: endStream, limits: limits)
}

func http2Response(
  _ fields: KeyValuePairs<String, String>, to method: HTTPMethod = .get, endStream: Bool = true,
  limits: HTTP2HeadLimits = HTTP2HeadLimits()
) -> BlockOutcome<ResponseSummary> {
  var decoder = HPACKDecoder()
  return decoder.response(block(fields), to: method, endStream: endStream, limits: limits)
}

func http2Trailers(_ fields: KeyValuePairs<String, String>) -> BlockOutcome<[FieldSummary]> {
  var decoder = HPACKDecoder()
  return decoder.trailers(block(fields))
}
