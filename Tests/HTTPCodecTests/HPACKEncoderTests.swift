import Testing

@testable import HTTPCodec

@Suite("HPACK encoding")
struct HPACKEncoderTests {
  /// The block of one field.
  private func field(
    _ encoder: inout HPACKEncoder, _ name: String, _ value: String, _ indexing: HPACKIndexing = .automatic
  ) -> [UInt8] {
    encoder.begin()
    encoder.encode(name, value, indexing)
    return encoder.blockBytes
  }

  @Test("§6.2.2: a field is literal the first time, then indexed when it comes again")
  func automaticIndexing() {
    var encoder = HPACKEncoder()
    #expect(field(&encoder, "x-a", "b") == hex("00 03 782d61 01 62"))
    #expect(field(&encoder, "x-a", "b") == hex("40 03 782d61 01 62"))
    #expect(field(&encoder, "x-a", "b") == [0xBE])
  }

  @Test("§6.2: values that never come again do not enter the table")
  func uniqueValues() throws {
    var encoder = HPACKEncoder()
    var decoder = HPACKDecoder()
    for number in 0..<500 {
      let block = field(&encoder, "x-request-id", "id-\(number)")
      #expect(try decoder.texts(block) == ["x-request-id: id-\(number)"])
    }
    #expect(decoder.table.count == 0)
  }

  @Test("§6.2.1: a name of either table is sent as an index")
  func indexedNames() {
    var encoder = HPACKEncoder()
    #expect(field(&encoder, "content-type", "a", .literal) == hex("0f10 01 61"))
    #expect(field(&encoder, "etag", "a", .literal) == hex("0f13 01 61"))
    #expect(field(&encoder, "x-a", "b", .always) == hex("40 03 782d61 01 62"))
    #expect(field(&encoder, "x-a", "c", .always) == hex("7e 01 63"))
    #expect(field(&encoder, "x-a", "d", .literal) == hex("0f2f 01 64"))
  }

  @Test("RFC 9113 §8.2: names are sent in lower case")
  func lowerCaseNames() throws {
    var encoder = HPACKEncoder()
    var decoder = HPACKDecoder()
    for name in ["X-Some-Long-NAME_with^All~Kinds|OF", "Content-Type", "ETag", "A"] {
      for indexing in [HPACKIndexing.literal, .always, .always, .never] {
        let block = field(&encoder, name, "Value", indexing)
        #expect(try decoder.texts(block) == ["\(name.lowercased()): Value"])
      }
    }
    // Not the same name: only letters have a case.
    #expect(try decoder.texts(field(&encoder, "a^", "1", .always)) == ["a^: 1"])
    #expect(try decoder.texts(field(&encoder, "a~", "1", .always)) == ["a~: 1"])
  }

  @Test("§7.1.3: credentials are never indexed")
  func secrets() {
    var encoder = HPACKEncoder()
    for _ in 0..<3 {
      #expect(field(&encoder, "Authorization", "x") == hex("1f08 01 78"))
      #expect(field(&encoder, "Proxy-Authorization", "x") == hex("1f22 01 78"))
      #expect(field(&encoder, "Set-Cookie", "x") == hex("1f28 01 78"))
      #expect(field(&encoder, "Cookie", "pin=1") == hex("1f11 05 70696e3d31"))
      #expect(field(&encoder, "x", "y", .never) == hex("10 01 78 01 79"))
    }
    let cookie = "session=0123456789abcdef"
    _ = field(&encoder, "cookie", cookie)
    _ = field(&encoder, "cookie", cookie)
    #expect(field(&encoder, "cookie", cookie) == [0xBE])
  }

  @Test("§4.2: a smaller table is announced in the first block")
  func ownSmallerTable() {
    var encoder = HPACKEncoder(tableBytesMax: 100)
    encoder.begin()
    #expect(encoder.blockBytes == [0x3F, 0x45])
    encoder.begin()
    #expect(encoder.blockBytes == [])
  }

  @Test("§4.2: what the peer allows is announced in the next block, the smallest size first")
  func peerLimits() {
    var encoder = HPACKEncoder()
    encoder.begin()
    #expect(encoder.blockBytes == [])
    encoder.setPeerTableBytesMax(0)
    encoder.setPeerTableBytesMax(100)
    encoder.begin()
    #expect(encoder.blockBytes == [0x20, 0x3F, 0x45])
    // No more than what the encoder wants for itself.
    encoder.setPeerTableBytesMax(1 << 30)
    encoder.begin()
    #expect(encoder.blockBytes == [0x3F, 0xE1, 0x1F])
    encoder.setPeerTableBytesMax(1 << 20)
    encoder.begin()
    #expect(encoder.blockBytes == [])
  }

  @Test("§4.2: a peer without a table gets literals alone")
  func noTable() throws {
    var encoder = HPACKEncoder()
    encoder.setPeerTableBytesMax(0)
    var decoder = HPACKDecoder(tableBytesMax: 0)
    for _ in 0..<4 {
      let block = field(&encoder, "x-a", "b", .always)
      #expect(try decoder.texts(block) == ["x-a: b"])
    }
    #expect(decoder.table.count == 0)
  }

  @Test("A field of nearly the size of the table does not drive out all others")
  func largeFields() {
    var encoder = HPACKEncoder()
    _ = field(&encoder, "x-a", "b", .always)
    _ = field(&encoder, "x-b", String(repeating: "v", count: 3100), .always)
    #expect(field(&encoder, "x-a", "b") == [0xBE])
  }

  @Test("Numbers, methods and statuses")
  func values() throws {
    var encoder = HPACKEncoder()
    var decoder = HPACKDecoder()
    encoder.begin()
    for status: UInt16 in [100, 200, 204, 206, 304, 400, 404, 500, 599, 418] {
      encoder.encode(status: status)
    }
    let block = encoder.blockBytes
    var statuses: [String] = []
    var position = 0
    while position < block.count {
      // An index, or a literal with the name's index and three digits.
      let count = block[position] & 0x80 != 0 ? 1 : 5
      statuses += try decoder.texts(Array(block[position..<position + count]), of: .response)
      position += count
    }
    #expect(statuses == [100, 200, 204, 206, 304, 400, 404, 500, 599, 418].map { ":status: \($0)" })
    for method in HTTPMethod.allCases {
      let name = bytes(method == .other ? "PROPFIND" : "\(method)".uppercased())
      encoder.begin()
      encoder.encode(method: method, ByteRange(start: 0, count: name.count), in: name.span)
      #expect(
        try decoder.texts(encoder.blockBytes) == [
          ":method: " + text(name, ByteRange(start: 0, count: name.count))
        ])
    }
    for number: UInt64 in [0, 7, 1234, .max] {
      encoder.begin()
      encoder.encode(.contentLength, decimal: number)
      let head = literal(bytes("x"), [])
      var message = MessageAssembly(.trailers, limits: HTTP2HeadLimits())
      var fields: [Field] = []
      try decoder.decode((head + encoder.blockBytes).span, into: &message, fields: &fields)
      #expect(text(decoder.lines.storage, fields[1].value) == "\(number)")
    }
  }

  @Test("Every name that is known beforehand is encoded as from text")
  func knownNames() {
    let names: [HPACKName] = [
      .method, .scheme, .authority, .path, .protocol, .status, .contentLength, .contentType, .cookie, .date,
      .expect, .forwarded, .location, .maxForwards, .server, .setCookie, .te, .via, .xForwardedFor,
      .xForwardedHost, .xForwardedPort, .xForwardedProto, .xRequestID,
    ]
    let value = bytes("1")
    for name in names {
      let nameText = text((0..<name.count).map { name.text[$0] }, ByteRange(start: 0, count: name.count))
      var one = HPACKEncoder()
      var other = HPACKEncoder()
      for _ in 0..<3 {
        one.begin()
        one.encode(name, value: value.span)
        #expect(one.blockBytes == field(&other, nameText, "1"))
      }
    }
  }

  @Test("§5.2: strings are Huffman-coded only where that makes them shorter")
  func huffmanWhenShorter() {
    var encoder = HPACKEncoder(usesHuffman: true)
    #expect(field(&encoder, "x-a", "\\\\\\", .literal) == hex("00 03 782d61 03 5c5c5c"))
    #expect(field(&encoder, "x-a", "aaaaaaaa", .literal) == hex("00 03 782d61 85 18c6318c63"))
  }

  @Test("Memory can be given back between blocks")
  func releaseMemory() throws {
    var encoder = HPACKEncoder()
    var decoder = HPACKDecoder()
    for _ in 0..<4 {
      let block = field(&encoder, "x-a", "b")
      #expect(try decoder.texts(block) == ["x-a: b"])
      encoder.releaseMemory()
      decoder.releaseMemory()
    }
    #expect(decoder.table.texts == ["x-a: b"])
  }
}
