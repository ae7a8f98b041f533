import HTTPCodec
import Testing

/// Names and values, in heads and trailers alike (RFC 9113 §8.2).
@Suite("HTTP/2 field names and values")
struct HTTP2MessageNameTests {
  /// The same field in a request, a response and a trailer section.
  private func expect(
    _ name: String, _ value: String, _ malformation: HTTP2Malformation?,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let expected = malformation.map { HTTP2BlockError.malformed($0) }
    let request = http2RequestWith([name: value])
    let response = http2Response([":status": "200", name: value])
    let trailers = http2Trailers([name: value])
    #expect(request.error == expected, sourceLocation: location)
    #expect(response.error == expected, sourceLocation: location)
    #expect(trailers.error == expected, sourceLocation: location)
    guard malformation == nil else { return }
    for fields in [request.value?.fields, response.value?.fields, trailers.value] {
      #expect(fields?.map(\.name) == [name], sourceLocation: location)
      #expect(fields?.map(\.value) == [value], sourceLocation: location)
    }
  }

  @Test("§8.2.1: a name with an upper-case letter is malformed")
  func upperCase() {
    expect("X", "a", .upperCaseName)
    expect("content-typE", "a", .upperCaseName)
    expect("aaaaaaaaaaaaaaaaaaaaaaaaaZ", "a", .upperCaseName)
    expect("a_B", "a", .upperCaseName)
  }

  @Test("§8.2.1: every byte that is no token character is malformed in a name, wherever it stands")
  func nameBytes() {
    for byte: UInt8 in 0...255 {
      let character = String(Unicode.Scalar(byte))
      let isToken =
        byte >= 0x30 && byte < 0x3A || byte >= 0x41 && byte < 0x5B || byte >= 0x61 && byte < 0x7B
        || "!#$%&'*+-.^_`|~".unicodeScalars.contains(Unicode.Scalar(byte))
      let isUpper = byte >= 0x41 && byte < 0x5B
      let expected: HTTP2Malformation? = isToken ? (isUpper ? .upperCaseName : nil) : .invalidName
      for name in [
        "a\(character)", "abcdefg\(character)", "abcdefghijk\(character)mnopqrstuvw", "ab\(character)d",
      ] {
        expect(name, "v", expected)
      }
      if byte != 0x3A { expect(character, "v", expected) }
    }
  }

  @Test("§8.2.1: an empty name is malformed")
  func emptyName() {
    expect("", "a", .emptyName)
    expect("", "", .emptyName)
  }

  @Test("§8.2.1: a colon within a name is malformed")
  func colon() {
    expect("a:b", "c", .invalidName)
    expect("a:", "c", .invalidName)
  }

  @Test("§8.2.1: a control character in a value is malformed; tabs and bytes from 128 on are not")
  func valueBytes() {
    for byte: UInt8 in 0...255 {
      let character = String(Unicode.Scalar(byte))
      let isValid = byte >= 0x20 && byte != 0x7F || byte == 0x09
      for value in ["a\(character)b", "0123456\(character)89", "0123456789abcdef\(character)123456789"] {
        expect("a", value, isValid ? nil : .invalidValue)
      }
      let isBlank = byte == 0x20 || byte == 0x09
      for value in ["\(character)a", "a\(character)", character] {
        expect("a", value, isBlank ? .whiteSpaceAroundValue : isValid ? nil : .invalidValue)
      }
    }
  }

  @Test("§8.2.1: a line end cannot be brought into a value")
  func lineEnds() {
    for value in ["a\r\nb: c", "a\nb", "a\rb", "a\r\n", "\r\na", "a\r\n\r\nGET / HTTP/1.1\r\n"] {
      expect("a", value, .invalidValue)
    }
  }

  @Test("§8.2.1: values may be empty")
  func emptyValue() {
    expect("a", "", nil)
  }

  @Test("§8.2.2: fields that are specific to a connection are malformed, whatever they say")
  func connectionFields() {
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
      for value in ["", "close", "chunked", "keep-alive", "websocket"] {
        expect(name, value, .connectionField)
      }
    }
  }

  @Test("§8.2.2: TE says trailers and nothing else")
  func te() {
    for value in ["trailers", "Trailers"] {
      #expect(http2RequestWith(["te": value]).value?.fields == [FieldSummary("te", value, .te)])
    }
    for value in ["", "gzip", "trailers, gzip", "trailers;q=1", "trailers,", "chunked"] {
      expect("te", value, .teOtherThanTrailers)
    }
  }

  @Test("A name from a table is checked like one in the block")
  func indexedNames() {
    var decoder = HPACKDecoder()
    let head = block([":method": "GET", ":scheme": "https", ":authority": "a", ":path": "/"])
    // 57 is Transfer-Encoding.
    #expect(decoder.request(head + [0x0F, 0x2A, 0x01, 0x61]).error == .malformed(.connectionField))
    // 24 is Cache-Control.
    #expect(decoder.request(head + [0x0F, 0x09, 0x02, 0x61, 0x0A]).error == .malformed(.invalidValue))
    #expect(decoder.request(head + [0x0F, 0x09, 0x01, 0x61]).error == nil)
  }

  @Test("Known fields are recognised")
  func knownFields() {
    let fields: [(String, KnownField)] = [
      ("content-type", .contentType), ("x-forwarded-for", .xForwardedFor), ("user-agent", .userAgent),
      ("via", .via), ("content-types", .other),
    ]
    for (name, known) in fields {
      #expect(http2RequestWith([name: "x"]).value?.fields == [FieldSummary(name, "x", known)])
      #expect(http2Trailers([name: "x"]).value == [FieldSummary(name, "x", known)])
    }
  }
}
