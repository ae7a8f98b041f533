import Testing

@testable import HTTPCodec

private let compressionError = HTTP2BlockError.connection(.compressionError)

@Suite("HPACK decoding")
struct HPACKDecoderTests {
  private func refuses(_ block: [UInt8], _ location: SourceLocation = #_sourceLocation) {
    var decoder = HPACKDecoder()
    #expect(throws: compressionError, sourceLocation: location) { try decoder.texts(block) }
    var skipping = HPACKDecoder()
    #expect(throws: compressionError, sourceLocation: location) { try skipping.skip(block.span) }
  }

  // MARK: Integers and indices

  @Test("§5.1: a number that is too large, or has no end, is an error")
  func integersTooLarge() {
    refuses([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F])
    refuses([0xFF] + [UInt8](repeating: 0x80, count: 5) + [0x00])
    refuses([0xFF] + [UInt8](repeating: 0xFF, count: 1000))
    refuses([0x00, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
    refuses([0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01])
  }

  @Test("§5.1: zeros behind a number are accepted within bounds")
  func paddedInteger() throws {
    var decoder = HPACKDecoder()
    #expect(
      try decoder.texts(
        [0x00, 0x01, 0x61, 0x7F, 0x80, 0x80, 0x00] + bytes(String(repeating: "b", count: 127)))
        == ["a: " + String(repeating: "b", count: 127)])
  }

  @Test("§5.1: a number at the end of the block is an error")
  func truncatedInteger() {
    refuses([0xFF])
    refuses([0xFF, 0x80])
    refuses([0x7F])
    refuses([0x3F])
    refuses([0x0F])
    refuses([0x1F])
  }

  @Test("§6.1: index 0 is an error")
  func indexZero() {
    refuses([0x80])
  }

  @Test("§2.3.3: an index beyond both tables is an error, for fields and for names")
  func indexBeyondTables() {
    refuses([0xBE])
    refuses([0x7E, 0x01, 0x61])
    refuses([0x0F, 0x2F, 0x01, 0x61])
    refuses(literal(bytes("a"), bytes("b"), pattern: 0x40) + [0xBF])
  }

  @Test("§5.2: a string that is longer than the block is an error")
  func truncatedString() {
    refuses([0x00])
    refuses([0x00, 0x02, 0x61])
    refuses([0x00, 0x01, 0x61])
    refuses([0x00, 0x01, 0x61, 0x02, 0x61])
    refuses([0x00, 0x01, 0x61, 0x82, 0x1F])
  }

  @Test("Every block that ends within a field is an error")
  func truncatedBlocks() {
    let fields = [("a-name", "a value"), ("other", String(repeating: "v", count: 300))]
    for usesHuffman in [false, true] {
      for (name, value) in fields {
        var encoder = HPACKEncoder(usesHuffman: usesHuffman)
        encoder.begin()
        encoder.encode(name, value)
        let block = encoder.blockBytes
        for count in 1..<block.count { refuses(Array(block[0..<count])) }
      }
    }
  }

  @Test("Appendix A: the static table")
  func staticTable() throws {
    var decoder = HPACKDecoder()
    let expected: [Int: String] = [
      1: ":authority: ", 2: ":method: GET", 3: ":method: POST", 4: ":path: /", 5: ":path: /index.html",
      6: ":scheme: http", 7: ":scheme: https", 8: ":status: 200", 9: ":status: 204", 10: ":status: 206",
      11: ":status: 304", 12: ":status: 400", 13: ":status: 404", 14: ":status: 500",
      15: "accept-charset: ", 16: "accept-encoding: gzip, deflate", 17: "accept-language: ",
      19: "accept: ", 23: "authorization: ", 28: "content-length: ", 31: "content-type: ", 32: "cookie: ",
      33: "date: ", 38: "host: ", 46: "location: ", 54: "server: ", 55: "set-cookie: ", 58: "user-agent: ",
      60: "via: ", 61: "www-authenticate: ",
    ]
    for (index, field) in expected {
      let entry = hpackStaticTable.entries[index - 1]
      let lines = (0..<entry.lineCount - 2).map { hpackStaticTable.lines[Int(entry.start) + $0] }
      #expect(text(lines, ByteRange(start: 0, count: lines.count)) == field)
    }
    #expect(try decoder.texts([0x90]) == ["accept-encoding: gzip, deflate"])
    // 57 is Transfer-Encoding, which is no field of HTTP/2.
    #expect(throws: HTTP2BlockError.malformed(.connectionField)) { try decoder.texts([0xB9]) }
  }

  // MARK: The dynamic table

  @Test("§4.4: an entry that is larger than the table empties it, and is no error")
  func entryLargerThanTable() throws {
    var decoder = HPACKDecoder(tableBytesMax: 64)
    _ = try decoder.texts(literal(bytes("a"), bytes("b"), pattern: 0x40))
    #expect(decoder.table.texts == ["a: b"])
    let value = String(repeating: "v", count: 100)
    #expect(try decoder.texts(literal(bytes("c"), bytes(value), pattern: 0x40)) == ["c: \(value)"])
    #expect(decoder.table.texts == [])
    #expect(decoder.table.size == 0)
  }

  @Test("§4.4: a new entry may use the name of one that it drives out")
  func nameOfEvictedEntry() throws {
    var decoder = HPACKDecoder(tableBytesMax: 60)
    _ = try decoder.texts(literal(bytes("some-name"), bytes("one"), pattern: 0x40))
    // The name of entry 62, a new value.
    #expect(try decoder.texts([0x7E, 0x03] + bytes("two")) == ["some-name: two"])
    #expect(decoder.table.texts == ["some-name: two"])
  }

  @Test("§2.3.2: entries stay what they are while thousands come and go")
  func longLivedTable() throws {
    var decoder = HPACKDecoder(tableBytesMax: 400)
    var expected: [String] = []
    for number in 0..<3000 {
      let value = String(repeating: "v", count: number % 97) + "\(number)"
      _ = try decoder.texts(literal(bytes("n\(number)"), bytes(value), pattern: 0x40))
      expected.insert("n\(number): \(value)", at: 0)
      while expected.reduce(0, { $0 + $1.count - 2 + 32 }) > 400 { expected.removeLast() }
      #expect(decoder.table.texts == expected)
    }
    // Twice the table's size, and what growing in steps may add.
    #expect(decoder.table.lines.storage.count <= 2048)
  }

  @Test("A field that comes from the table is judged as when it was inserted")
  func traitsAreKept() {
    var decoder = HPACKDecoder()
    let first = block([":method": "GET", ":scheme": "https", ":authority": "a", ":path": "/"])
    let bad: [(String, String, HTTP2Malformation)] = [
      ("Upper", "x", .upperCaseName), ("te", "gzip", .teOtherThanTrailers), ("a", "\u{1}", .invalidValue),
      ("connection", "close", .connectionField), ("a", " b", .whiteSpaceAroundValue),
    ]
    for (name, value, malformation) in bad {
      let inserting = first + literal(bytes(name), bytes(value), pattern: 0x40)
      #expect(decoder.request(inserting).error == .malformed(malformation))
      #expect(decoder.request(first + [0xBE]).error == .malformed(malformation))
    }
    // The value alone was wrong: the name of the last one can be used again.
    #expect(decoder.request(first + [0x0F, 0x2F, 0x01, 0x62]).value?.fields == [FieldSummary("a", "b")])
  }

  // MARK: Changes of size

  @Test("§4.2: a change of size at the beginning of a block, up to what was announced")
  func sizeUpdate() throws {
    var decoder = HPACKDecoder()
    _ = try decoder.texts(literal(bytes("a"), bytes("b"), pattern: 0x40))
    #expect(try decoder.texts([0x20]) == [])
    #expect(decoder.table.count == 0)
    #expect(decoder.table.sizeMax == 0)
    #expect(try decoder.texts([0x3F, 0xE1, 0x1F]) == [])
    #expect(decoder.table.sizeMax == 4096)
  }

  @Test("§6.3: a size above what was announced is an error")
  func sizeUpdateTooLarge() {
    refuses([0x3F, 0xE2, 0x1F])
  }

  @Test("§4.2: a change of size behind a field is an error")
  func lateSizeUpdate() {
    refuses([0x82, 0x20])
    refuses(literal(bytes("a"), bytes("b")) + [0x20])
  }

  @Test("§4.2: two changes in one block are accepted, a third is an error")
  func severalSizeUpdates() throws {
    var decoder = HPACKDecoder()
    _ = try decoder.texts([0x20, 0x3F, 0x01, 0x82])
    #expect(decoder.table.sizeMax == 32)
    refuses([0x20, 0x20, 0x20, 0x82])
  }

  @Test("§4.2: when the limit is lowered below the table's size, the next block must say so")
  func requiredSizeUpdate() throws {
    var decoder = HPACKDecoder()
    decoder.setTableBytesMax(100)
    #expect(throws: compressionError) { try decoder.texts([0x82]) }

    decoder = HPACKDecoder()
    decoder.setTableBytesMax(100)
    #expect(throws: compressionError) { try decoder.texts([0x3F, 0x46, 0x82]) }

    decoder = HPACKDecoder()
    decoder.setTableBytesMax(100)
    #expect(try decoder.texts([0x3F, 0x45, 0x82]) == [":method: GET"])
    #expect(try decoder.texts([0x82]) == [":method: GET"])
  }

  @Test("§4.2: of several limits since the last block, the smallest must be kept first")
  func smallestOfSeveralLimits() throws {
    var decoder = HPACKDecoder()
    decoder.setTableBytesMax(0)
    decoder.setTableBytesMax(4096)
    #expect(throws: compressionError) { try decoder.texts([0x3F, 0xE1, 0x1F, 0x82]) }

    decoder = HPACKDecoder()
    decoder.setTableBytesMax(0)
    decoder.setTableBytesMax(4096)
    #expect(try decoder.texts([0x20, 0x3F, 0xE1, 0x1F, 0x82]) == [":method: GET"])
    #expect(decoder.table.sizeMax == 4096)
  }

  @Test("§4.2: a limit that is raised, or stays above the table's size, asks for nothing")
  func limitWithoutConsequence() throws {
    var decoder = HPACKDecoder()
    decoder.setTableBytesMax(65_536)
    #expect(try decoder.texts([0x82]) == [":method: GET"])
    #expect(try decoder.texts([0x3E, 0x82]) == [":method: GET"])
    decoder.setTableBytesMax(4096)
    #expect(try decoder.texts([0x82]) == [":method: GET"])
  }

  // MARK: Huffman coding

  @Test("Appendix B: every octet survives coding and decoding")
  func allOctets() throws {
    let all = (0...255).map { UInt8($0) }
    let strings: [[UInt8]] = [all, all.reversed(), [], [0x30], [0xFF, 0xFF], [0x0A, 0x61]]
    for string in strings {
      #expect(huffmanDecoded(huffmanEncoded(string)) == string)
    }
  }

  @Test("Appendix B: the code of some octets is that of the RFC")
  func codes() {
    #expect(huffmanTables.codes[0x30] == 0 | 5 << 32)
    #expect(huffmanTables.codes[0x00] == 0x1FF8 | 13 << 32)
    #expect(huffmanTables.codes[0x5C] == 0x7FFF0 | 19 << 32)
    #expect(huffmanTables.codes[0x7E] == 0x1FFD | 13 << 32)
    #expect(huffmanTables.codes[0x0A] == 0x3FFF_FFFC | 30 << 32)
    #expect(huffmanTables.codes[0xFF] == 0x3FF_FFEE | 26 << 32)
    #expect(huffmanTables.codes[0xF9] == 0xFFFFFFE | 28 << 32)
  }

  @Test("§5.2: padding of ones, fewer than eight, is accepted; other padding is an error")
  func padding() {
    // "0" is five zeros.
    #expect(huffmanDecoded([0b0000_0111]) == bytes("0"))
    for wrong: UInt8 in [0b0000_0110, 0b0000_0101, 0b0000_0011] { #expect(huffmanDecoded([wrong]) == nil) }
    #expect(huffmanDecoded([0b0000_0111, 0xFF]) == nil)
    #expect(huffmanDecoded([0xFF]) == nil)
    #expect(huffmanDecoded([0xFF, 0xFF]) == nil)
    // Eight octets of five bits need no padding.
    #expect(huffmanDecoded([0, 0, 0, 0, 0]) == bytes("00000000"))
    #expect(huffmanDecoded([0, 0, 0, 0, 0, 0xFF]) == nil)
  }

  @Test("§5.2: the code of the end of the string is an error wherever it stands")
  func endOfString() {
    #expect(huffmanDecoded([0xFF, 0xFF, 0xFF, 0xFF]) == nil)
    #expect(huffmanDecoded([0xFF, 0xFF, 0xFF, 0xFC, 0x00]) == nil)
    #expect(huffmanDecoded([0b0000_0111, 0xFF, 0xFF, 0xFF, 0xE0]) == nil)
    refuses([0x00, 0x01, 0x61, 0x84, 0xFF, 0xFF, 0xFF, 0xFF])
  }

  @Test("§5.2: an error in a string that nobody wants is an error all the same")
  func huffmanErrorBehindRefusal() {
    let limits = HTTP2HeadLimits(headBytes: 10)
    var decoder = HPACKDecoder()
    let outcome = decoder.request([0x82, 0x86, 0x00, 0x01, 0x61, 0x81, 0xFF], limits: limits)
    #expect(outcome.error == compressionError)
  }
}
