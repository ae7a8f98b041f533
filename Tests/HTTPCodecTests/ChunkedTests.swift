import HTTPCodec
import Testing

/// What a chunked message held.
struct ChunkedSummary: Equatable, Sendable {
  var content: [UInt8] = []
  var trailers = ""
  var byteCount = 0
}

/// Decodes as a connection does: pieces are appended to what was not consumed yet.
func decode(_ input: [UInt8], pieces: [Int]) -> Outcome<ChunkedSummary> {
  var decoder = ChunkedDecoder()
  var summary = ChunkedSummary()
  var buffer: [UInt8] = []
  var received = 0
  for end in pieces {
    buffer += input[received..<end]
    received = end
    var position = 0
    reading: while true {
      do {
        switch try decoder.next(buffer.span, from: position) {
        case .data(let range):
          summary.content += buffer[range.range]
          position = range.end
        case .needMore(let consumed):
          summary.byteCount += consumed
          buffer.removeFirst(consumed)
          break reading
        case .end(let trailers, let consumed):
          summary.trailers = text(buffer, trailers)
          summary.byteCount += consumed
          return .accepted(summary)
        }
      } catch { return .refused(error) }
    }
  }
  return .incomplete
}

func next(_ decoder: inout ChunkedDecoder, _ input: [UInt8], from start: Int) throws -> ChunkedEvent {
  try decoder.next(input.span, from: start)
}

/// Decodes whole, in two pieces split anywhere, and byte by byte: all must agree.
func chunked(_ input: String, _ location: SourceLocation = #_sourceLocation) -> Outcome<ChunkedSummary> {
  let input = bytes(input)
  let whole = decode(input, pieces: [input.count])
  for split in 0..<input.count where decode(input, pieces: [split, input.count]) != whole {
    Issue.record("split at \(split)", sourceLocation: location)
    break
  }
  #expect(decode(input, pieces: Array(0...input.count)) == whole, "byte by byte", sourceLocation: location)
  return whole
}

@Suite("Chunked transfer coding")
struct ChunkedTests {
  @Test("RFC 9112 §7.1: chunks are decoded whole, in pieces and byte by byte alike")
  func chunks() {
    let text = "5\r\nhello\r\n00A\r\n, world\r\n!\r\n0\r\n\r\n"
    let summary = chunked(text + "GET /").value
    #expect(summary?.content == bytes("hello, world\r\n!"))
    #expect(summary?.trailers == "")
    #expect(summary?.byteCount == text.unicodeScalars.count)
    #expect(chunked("0\r\n\r\n").value?.content == [])
    #expect(chunked("000\r\n\r\n").value?.byteCount == 7)
    #expect(chunked("a\r\n0123456789\r\n0\r\n\r\n").value?.content.count == 10)
    #expect(chunked("5\r\nhello\r\n") == .incomplete)
    #expect(chunked("5\r\nhello\r\n0\r\n") == .incomplete)
  }

  @Test(
    "RFC 9112 §7.1: a chunk size that is not plain hexadecimal digits is refused with 400",
    arguments: [
      "", ";a", "g", "-1", "+1", "0x1", "1 ", " 1", "\t1", "1\t", "1.0", "1_0", "\u{B}1", "1\u{0}", "1,",
      "5 ;a=b",
      "10000000000000000", "00000000000000001", "8000000000000000", "ffffffffffffffff", "fffffffffffffffff",
    ])
  func invalidSizes(_ size: String) {
    let error = chunked("\(size)\r\nh\r\n0\r\n\r\n").error
    #expect(error == .invalidChunkSize)
    #expect(error?.status == 400)
  }

  @Test("RFC 9112 §7.1: the largest size is 2^63 - 1, however many zeros lead it")
  func largestSize() throws {
    for size in ["7fffffffffffffff", "7FFFFFFFFFFFFFFF"] {
      var decoder = ChunkedDecoder()
      #expect(try next(&decoder, bytes("\(size)\r\nab"), from: 0) == .data(ByteRange(start: 18, count: 2)))
      #expect(try next(&decoder, bytes("cde"), from: 1) == .data(ByteRange(start: 1, count: 2)))
    }
    #expect(chunked("0000000000000001\r\nh\r\n0\r\n\r\n").value?.content == bytes("h"))
  }

  @Test(
    "RFC 9112 §7.1: lines end with CR LF, anything else is refused with 400",
    arguments: [
      ("1\nh\r\n0\r\n\r\n", HTTP1Error.bareLineFeed), ("1\rh\r\n0\r\n\r\n", .bareCarriageReturn),
      ("1\r\r\nh\r\n0\r\n\r\n", .bareCarriageReturn), ("\n1\r\nh", .bareLineFeed), ("1;a\nh", .bareLineFeed),
      ("1;a\rb\r\nh", .bareCarriageReturn), ("1\r\nh\n0\r\n\r\n", .missingChunkEnd),
      ("1\r\nh\r0\r\n\r\n", .missingChunkEnd),
      ("1\r\nhh\r\n0\r\n\r\n", .missingChunkEnd), ("1\r\nh0\r\n\r\n", .missingChunkEnd),
      ("0\r\n\n", .bareLineFeed),
      ("0\r\n\rx", .bareCarriageReturn), ("0\n\n", .bareLineFeed), ("2\r\nh\r\n0\r\n\r\n", .missingChunkEnd),
    ])
  func lineEnds(_ text: String, _ expected: HTTP1Error) {
    let error = chunked(text).error
    #expect(error == expected)
    #expect(error?.status == 400)
  }

  @Test(
    "RFC 9112 §7.1.1: chunk extensions are dropped",
    arguments: [
      ";a", ";a=b", ";a=\"b c\"", ";a=\"\\\"\\\\\"", ";a;b=c;d=\"\"", ";a = b ; c\t", "; a",
      ";a=\"caf\u{E9};\t\"",
      ";a=\"0\\;\"",
    ])
  func extensions(_ text: String) {
    #expect(chunked("1\(text)\r\nh\r\n0\(text)\r\n\r\n").value?.content == bytes("h"))
  }

  @Test(
    "RFC 9112 §7.1.1: a malformed chunk extension is refused with 400",
    arguments: [
      ";", ";;", ";=", ";a=", ";a=;b", ";a b", ";a=b c", ";a\u{0}", ";a=\"b", ";a=\"b\"c", ";a=\"\u{0}\"",
      ";a=\"\u{7F}\"",
      ";a=\"\r\n\"", ";\"a\"", ";a=b=c", ";a=\"\\\u{1}\"", ";a,b", ";\u{80}", ";a=\"b\" \"c\"",
    ])
  func invalidExtensions(_ text: String) {
    let error = chunked("1\(text)\r\nh\r\n0\r\n\r\n").error
    #expect(error == .invalidChunkExtension)
    #expect(error?.status == 400)
  }

  @Test("RFC 9112 §7.1.1: a bare LF within a quoted extension does not end the line")
  func lineFeedInQuotes() {
    #expect(chunked("1;a=\"\n\"\r\nh\r\n0\r\n\r\n").error == .bareLineFeed)
  }

  @Test("RFC 9112 §7.1.1: the extensions of a chunk, and of all together, are limited")
  func extensionLimits() {
    func message(_ length: Int, chunks: Int) -> [UInt8] {
      let text = "1;\(String(repeating: "a", count: length - 2))\r\nh\r\n"
      return bytes(String(repeating: text, count: chunks) + "0\r\n\r\n")
    }
    let longest = ChunkedDecoder.extensionBytesMax
    let total = ChunkedDecoder.extensionBytesTotalMax
    func outcome(_ input: [UInt8]) -> Outcome<ChunkedSummary> { decode(input, pieces: [input.count]) }
    #expect(outcome(message(longest, chunks: 1)).value?.content == bytes("h"))
    #expect(outcome(message(longest + 1, chunks: 1)).error == .chunkExtensionsTooLong)
    #expect(outcome(message(longest, chunks: total / longest)).value?.content.count == total / longest)
    #expect(outcome(message(longest, chunks: total / longest + 1)).error == .chunkExtensionsTooLong)
  }
}
