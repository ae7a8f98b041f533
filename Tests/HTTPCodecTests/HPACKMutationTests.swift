import Testing

@testable import HTTPCodec

/// Seeded random input: what one side encodes the other decodes, and nothing makes a decoder trap.
@Suite("HPACK under random input")
struct HPACKMutationTests {
  private let names = [
    "accept", "content-type", "x-a", "x-request-id", "Cache-Control", "etag", "a", "user-agent", "set-cookie",
    "x-a-very-long-name-that-nobody-has-in-a-static-table", "authorization", "grpc-timeout", "te!_~",
  ]

  private func randomValue(_ generator: inout SeededGenerator) -> String {
    let count = [0, 1, 3, 7, 8, 9, 15, 16, 40, 200][Int.random(in: 0..<10, using: &generator)]
    let kind = Int.random(in: 0..<3, using: &generator)
    let value = (0..<count).map { index -> Character in
      let isEdge = index == 0 || index == count - 1
      let byte: UInt8 =
        kind == 0
        ? 0x61 + UInt8.random(in: 0..<3, using: &generator)
        : isEdge ? 0x21 : UInt8.random(in: 0x20..<(kind == 1 ? 0x7F : 0xFF), using: &generator)
      return Character(Unicode.Scalar(byte == 0x7F ? 0x80 : byte))
    }
    return String(value)
  }

  @Test(
    "What an encoder writes, a decoder reads, with tables of all sizes that change", arguments: [false, true])
  func roundTrip(usesHuffman: Bool) throws {
    var generator = SeededGenerator(state: 7541)
    for round in 0..<60 {
      let ownMax = [0, 40, 300, 4096, 65_536][round % 5]
      var encoder = HPACKEncoder(tableBytesMax: ownMax, usesHuffman: usesHuffman)
      var decoder = HPACKDecoder()
      let values = (0..<12).map { _ in randomValue(&generator) }
      for _ in 0..<60 {
        if Int.random(in: 0..<8, using: &generator) == 0 {
          let limit = [0, 64, 200, 4096, 10_000][Int.random(in: 0..<5, using: &generator)]
          decoder.setTableBytesMax(limit)
          encoder.setPeerTableBytesMax(limit)
        }
        var expected: [FieldSummary] = []
        encoder.begin()
        for _ in 0..<Int.random(in: 0..<12, using: &generator) {
          let name = names.randomElement(using: &generator)!
          let value = values.randomElement(using: &generator)!
          let indexing: HPACKIndexing =
            [.automatic, .automatic, .always, .literal, .never].randomElement(using: &generator)!
          encoder.encode(name, value, indexing)
          expected.append(FieldSummary(name.lowercased(), value))
        }
        let outcome = decoder.trailers(encoder.blockBytes)
        #expect(outcome.value?.map { FieldSummary($0.name, $0.value) } == expected)
        #expect(decoder.table.size <= ownMax)
        #expect(decoder.table.size == encoder.tableBytes)
        if outcome.error != nil { return }
      }
    }
  }

  @Test("Huffman-coded strings of random bytes come back")
  func huffmanRoundTrip() {
    var generator = SeededGenerator(state: 1)
    for _ in 0..<3000 {
      let count = Int.random(in: 0..<50, using: &generator)
      let isText = Bool.random(using: &generator)
      let string = (0..<count).map { _ in
        isText
          ? UInt8.random(in: 0x20..<0x7F, using: &generator) : UInt8.random(in: 0...255, using: &generator)
      }
      #expect(huffmanDecoded(huffmanEncoded(string)) == string)
    }
  }

  @Test("A Huffman-coded string that is accepted is the one that is coded so")
  func huffmanIsUnique() {
    var generator = SeededGenerator(state: 2)
    var accepted = 0
    for _ in 0..<20_000 {
      let count = Int.random(in: 1..<7, using: &generator)
      var coded = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      if Bool.random(using: &generator) { coded[count - 1] |= 0x7F }
      guard let string = huffmanDecoded(coded) else { continue }
      accepted += 1
      #expect(huffmanEncoded(string) == coded)
    }
    #expect(accepted > 500)
  }

  @Test("Random bytes are decoded or refused, and never more")
  func randomBlocks() {
    var generator = SeededGenerator(state: 3)
    for _ in 0..<300 {
      var decoder = HPACKDecoder()
      for _ in 0..<40 {
        let count = Int.random(in: 0..<60, using: &generator)
        let block = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: _ = decoder.request(block)
        case 1: _ = decoder.response(block)
        case 2: _ = decoder.trailers(block)
        default: try? decoder.skip(block.span)
        }
        #expect(decoder.table.size <= 4096)
        #expect(decoder.table.size == decoder.table.texts.reduce(0) { $0 + $1.unicodeScalars.count - 2 + 32 })
      }
    }
  }

  private let heads: [KeyValuePairs<String, String>] = [
    [
      ":method": "POST", ":scheme": "https", ":authority": "a.example:8443", ":path": "/a?b=c",
      "content-length": "3", "cookie": "a=b", "cookie": "c=d", "te": "trailers", "host": "a.example:8443",
    ],
    [
      ":method": "GET", ":scheme": "http", ":path": "/", "host": "b", "user-agent": "x/1 (y; z)",
      "accept": "*/*", "expect": "100-continue",
    ],
    [":method": "OPTIONS", ":scheme": "http", ":path": "*", ":authority": "[::1]:80", "x-a": "\u{E9}"],
    [":method": "CONNECT", ":authority": "a:443", "proxy-authorization": "Basic eA=="],
  ]

  /// A valid block of a head, in a random one of its many forms.
  private func randomBlock(
    _ fields: KeyValuePairs<String, String>, _ encoder: inout HPACKEncoder, _ generator: inout SeededGenerator
  ) -> [UInt8] {
    encoder.begin()
    for field in fields {
      encoder.encode(
        field.key, field.value, [.automatic, .always, .literal].randomElement(using: &generator)!)
    }
    return encoder.blockBytes
  }

  private func mutate(_ block: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
    var block = block
    for _ in 0..<Int.random(in: 0...2, using: &generator) {
      guard !block.isEmpty else { break }
      let position = Int.random(in: 0..<block.count, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: block[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1:
        block[position] = [0, 0x0A, 0x0D, 0x20, 0x3A, 0x09, 0x40, 0x80, 0xFF].randomElement(
          using: &generator)!
      case 2: block.remove(at: position)
      case 3: block.insert(UInt8.random(in: 0...255, using: &generator), at: position)
      default: block.removeSubrange(position...)
      }
    }
    return block
  }

  /// The request as the gateway would write it to a peer that speaks HTTP/1.1.
  private func rewritten(_ head: RequestSummary) -> String {
    var lines = "\(head.methodText) \(head.target) HTTP/1.1\r\nHost: \(head.authority)\r\n"
    for field in head.fields where field.known != .host { lines += "\(field.name): \(field.value)\r\n" }
    return lines + "\r\n"
  }

  @Test("Whatever is made of valid blocks, a request that is accepted is a request of HTTP/1.1")
  func mutatedRequests() {
    var generator = SeededGenerator(state: 4)
    var accepted = 0
    for _ in 0..<4000 {
      var encoder = HPACKEncoder(usesHuffman: Bool.random(using: &generator))
      var decoder = HPACKDecoder()
      for _ in 0..<3 {
        let valid = randomBlock(heads.randomElement(using: &generator)!, &encoder, &generator)
        let outcome = decoder.request(mutate(valid, &generator), endStream: false)
        if case .connection = outcome.error { break }
        guard let head = outcome.value else { continue }
        accepted += 1
        let parsed = parseRequest(bytes(rewritten(head)), prefixes: [rewritten(head).unicodeScalars.count])
          .value
        #expect(parsed?.methodText == head.methodText)
        #expect(parsed?.target == head.target)
        #expect(parsed?.host == head.host)
        let passedOn = head.fields.filter { $0.known != .host }
        #expect(parsed?.fields.filter { $0.known != .host } == passedOn)
        let framing: BodyFraming = head.framing == .untilEndOfStream ? .none : head.framing
        #expect(parsed?.framing == framing)
      }
    }
    #expect(accepted > 500)
  }

  @Test("A block that is cut off anywhere is refused, or is a message by itself")
  func truncatedBlocks() {
    var generator = SeededGenerator(state: 5)
    for fields in heads {
      for _ in 0..<20 {
        var encoder = HPACKEncoder(usesHuffman: true)
        let whole = randomBlock(fields, &encoder, &generator)
        for count in 0..<whole.count {
          var decoder = HPACKDecoder()
          let outcome = decoder.request(Array(whole[0..<count]), endStream: false)
          if let head = outcome.value { #expect(head.fields.count < fields.count) }
        }
        var decoder = HPACKDecoder()
        #expect(decoder.request(whole, endStream: false).error == nil)
      }
    }
  }
}
