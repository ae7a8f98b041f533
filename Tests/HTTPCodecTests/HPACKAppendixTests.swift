import Testing

@testable import HTTPCodec

/// The examples of RFC 7541 appendix C: each block, what it stands for, and the table after it.
@Suite("RFC 7541 appendix C")
struct HPACKAppendixTests {
  struct Example: Sendable {
    var block: String
    var fields: [String]
    var table: [String]
    var size: Int
  }

  private func check(
    _ examples: [Example], tableBytes: Int = 4096, of kind: MessageAssembly.Kind = .request
  ) throws {
    var decoder = HPACKDecoder(tableBytesMax: tableBytes)
    for example in examples {
      #expect(try decoder.texts(hex(example.block), of: kind) == example.fields)
      #expect(decoder.table.texts == example.table)
      #expect(decoder.table.size == example.size)
    }
  }

  @Test("C.1: integers with a prefix")
  func integers() {
    let examples: [(Int, UInt8, [UInt8])] = [
      (10, 0x1F, [0x0A]), (1337, 0x1F, [0x1F, 0x9A, 0x0A]), (42, 0xFF, [0x2A]),
    ]
    for (value, mask, coded) in examples {
      var output = LineBuffer()
      HPACKInteger.encode(value, pattern: 0, prefixMask: mask, into: &output)
      #expect(Array(output.storage[0..<output.count]) == coded)
      var position = 0
      #expect(HPACKInteger.decode(coded.span, at: &position, prefixMask: mask) == value)
      #expect(position == coded.count)
    }
  }

  @Test("C.2.1: a literal with indexing")
  func literalWithIndexing() throws {
    try check([
      Example(
        block: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        fields: ["custom-key: custom-header"], table: ["custom-key: custom-header"], size: 55)
    ])
  }

  @Test("C.2.2: a literal without indexing")
  func literalWithoutIndexing() throws {
    try check([
      Example(
        block: "040c 2f73 616d 706c 652f 7061 7468", fields: [":path: /sample/path"], table: [], size: 0)
    ])
  }

  @Test("C.2.3: a literal that is never indexed")
  func literalNeverIndexed() throws {
    try check([
      Example(
        block: "1008 7061 7373 776f 7264 0673 6563 7265 74", fields: ["password: secret"], table: [],
        size: 0)
    ])
  }

  @Test("C.2.4: an indexed field")
  func indexed() throws {
    try check([Example(block: "82", fields: [":method: GET"], table: [], size: 0)])
  }

  /// C.3 and C.4 differ in the coding of strings alone.
  private func requests(_ blocks: [String]) -> [Example] {
    let authority = ":authority: www.example.com"
    let noCache = "cache-control: no-cache"
    let custom = "custom-key: custom-value"
    return [
      Example(
        block: blocks[0], fields: [":method: GET", ":scheme: http", ":path: /", authority],
        table: [authority], size: 57),
      Example(
        block: blocks[1], fields: [":method: GET", ":scheme: http", ":path: /", authority, noCache],
        table: [noCache, authority], size: 110),
      Example(
        block: blocks[2],
        fields: [":method: GET", ":scheme: https", ":path: /index.html", authority, custom],
        table: [custom, noCache, authority], size: 164),
    ]
  }

  @Test("C.3: requests without Huffman coding")
  func plainRequests() throws {
    try check(
      requests([
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ]))
  }

  @Test("C.4: requests with Huffman coding")
  func codedRequests() throws {
    try check(
      requests([
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ]))
  }

  /// C.5 and C.6: a table of 256 bytes, from which entries are evicted.
  private func responses(_ blocks: [String]) -> [Example] {
    let date21 = "date: Mon, 21 Oct 2013 20:13:21 GMT"
    let date22 = "date: Mon, 21 Oct 2013 20:13:22 GMT"
    let location = "location: https://www.example.com"
    let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
    let isPrivate = "cache-control: private"
    let gzip = "content-encoding: gzip"
    return [
      Example(
        block: blocks[0], fields: [":status: 302", isPrivate, date21, location],
        table: [location, date21, isPrivate, ":status: 302"], size: 222),
      Example(
        block: blocks[1], fields: [":status: 307", isPrivate, date21, location],
        table: [":status: 307", location, date21, isPrivate], size: 222),
      Example(
        block: blocks[2], fields: [":status: 200", isPrivate, date22, location, gzip, cookie],
        table: [cookie, gzip, date22], size: 215),
    ]
  }

  @Test("C.5: responses without Huffman coding")
  func plainResponses() throws {
    try check(
      responses([
        """
        4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
        2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
        6c65 2e63 6f6d
        """,
        "4803 3330 37c1 c0bf",
        """
        88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
        54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
        5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
        3d31
        """,
      ]), tableBytes: 256, of: .response)
  }

  @Test("C.6: responses with Huffman coding")
  func codedResponses() throws {
    try check(
      responses([
        """
        4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
        2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3
        """,
        "4883 640e ffc1 c0bf",
        """
        88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
        77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
        9587 3160 65c0 03ed 4ee5 b106 3d50 07
        """,
      ]), tableBytes: 256, of: .response)
  }

  // MARK: The same from the encoder

  @Test("C.3.1, C.3.2 and C.4.1: the encoder writes the same bytes")
  func encodedRequests() {
    for (usesHuffman, first, second) in [
      (false, "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865"),
      (true, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf"),
    ] {
      var encoder = HPACKEncoder(usesHuffman: usesHuffman)
      let path = bytes("/")
      for (block, withCacheControl) in [(first, false), (second, true)] {
        encoder.begin()
        encoder.encode(method: .get, .empty, in: path.span)
        encoder.encode(schemeIsHTTPS: false)
        encoder.encode(path: path.span)
        encoder.encode(":authority", "www.example.com", .always)
        if withCacheControl { encoder.encode("Cache-Control", "no-cache", .always) }
        #expect(encoder.blockBytes == hex(block))
      }
    }
  }

  @Test("C.6.1: the encoder writes the same bytes")
  func encodedResponse() {
    var encoder = HPACKEncoder(tableBytesMax: 256, usesHuffman: true)
    encoder.begin()
    // 256 instead of 4,096: the first block says so (§4.2).
    #expect(encoder.blockBytes == [0x3F, 0xE1, 0x01])
    encoder.begin()
    encoder.encode(":status", "302", .always)
    encoder.encode("cache-control", "private", .always)
    encoder.encode("date", "Mon, 21 Oct 2013 20:13:21 GMT", .always)
    encoder.encode("location", "https://www.example.com", .always)
    let expected = """
      4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
      2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3
      """
    #expect(encoder.blockBytes == hex(expected))
  }
}
