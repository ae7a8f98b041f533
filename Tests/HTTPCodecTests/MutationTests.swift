import HTTPCodec
import Testing

/// Damages messages at random, the same way at each run: parsers must not trap, must read pieces
/// like the whole, and must not accept what a plain second reading refuses.
@Suite("Mutated messages")
struct MutationTests {
  private static let rounds = 6000

  private static let requests = [
    "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "PUT http://[::1]:8080/x HTTP/1.1\r\nHost: [::1]:8080\r\nTransfer-Encoding: chunked\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "\r\nHEAD / HTTP/1.0\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: x\r\n\r\n",
  ]
  private static let responses = [
    "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 100\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/1.0 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\n\r\n",
    "HTTP/1.1 404\r\nTransfer-Encoding: chunked\r\nRetry-After: 5\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
  ]
  private static let chunks = [
    "5\r\nhello\r\n0\r\n\r\n", "1;a=\"b\"\r\nh\r\n00\r\nETag: x\r\nX: y\r\n\r\n",
    "a ;b\r\n0123456789\r\n0;c\r\n\r\n",
    "3\r\nabc\r\n2\r\nde\r\n1\r\nf\r\n0\r\nA:\r\n\r\n",
  ]
  private static let fragments = [
    "\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", "0", "chunked", "\r\n\r\n", "Content-Length: 5\r\n",
    "Host: b\r\n",
    "Transfer-Encoding: chunked\r\n", "\r\n ", "/", "..", "%2e", "%", "#", "?", "\u{80}", "\u{7F}", ";", "\"",
    "HTTP/1.1",
  ].map { bytes($0) }

  private func mutant(_ corpus: [String], _ generator: inout SeededGenerator) -> [UInt8] {
    var input = bytes(corpus[Int.random(in: 0..<corpus.count, using: &generator)])
    for _ in 0..<Int.random(in: 1...3, using: &generator) where !input.isEmpty {
      let index = Int.random(in: 0..<input.count, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: input[index] = UInt8.random(in: 0...255, using: &generator)
      case 1: input[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 2: input.remove(at: index)
      case 3: input.removeSubrange(index..<min(input.count, index + Int.random(in: 1...9, using: &generator)))
      case 4:
        let end = min(input.count, index + Int.random(in: 1...30, using: &generator))
        input.insert(contentsOf: Array(input[index..<end]), at: end)
      default:
        let fragment = Self.fragments[Int.random(in: 0..<Self.fragments.count, using: &generator)]
        input.insert(contentsOf: fragment, at: index)
      }
    }
    return input
  }

  /// Where a message may be cut, for the second reading.
  private func pieces(_ count: Int, _ generator: inout SeededGenerator) -> [Int] {
    var cuts = (0..<3).map { _ in Int.random(in: 0...count, using: &generator) }.sorted()
    cuts.append(count)
    return cuts
  }

  @Test("Requests")
  func requests() {
    var generator = SeededGenerator(state: 1)
    var accepted = 0
    for round in 0..<Self.rounds {
      let input = mutant(Self.requests, &generator)
      let whole = parseRequest(input, prefixes: [input.count])
      let cuts = pieces(input.count, &generator)
      var inPieces = parseRequest(input, prefixes: cuts)
      if inPieces == .incomplete, whole.error != nil {
        // A fault in a line that came later is found when the head is complete.
        let ended = input + bytes("\r\n\r\n")
        inPieces = parseRequest(ended, prefixes: cuts + [ended.count])
      }
      #expect(inPieces == whole, "round \(round): \(input)")
      guard let head = whole.value else { continue }
      accepted += 1
      let fault = StrictCheck.faultInRequest(input, head)
      #expect(fault == nil, "round \(round): \(input)")
    }
    // The corpus must not be damaged beyond use.
    #expect(accepted > Self.rounds / 10 && accepted < Self.rounds * 9 / 10)
  }

  @Test("Responses")
  func responses() {
    var generator = SeededGenerator(state: 2)
    var accepted = 0
    for round in 0..<Self.rounds {
      let input = mutant(Self.responses, &generator)
      let whole = parseResponse(input, .get, prefixes: [input.count])
      let cuts = pieces(input.count, &generator)
      var inPieces = parseResponse(input, .get, prefixes: cuts)
      if inPieces == .incomplete, whole.error != nil {
        let ended = input + bytes("\r\n\r\n")
        inPieces = parseResponse(ended, .get, prefixes: cuts + [ended.count])
      }
      #expect(inPieces == whole, "round \(round): \(input)")
      guard let head = whole.value else { continue }
      accepted += 1
      let fault = StrictCheck.faultInResponse(input, head)
      #expect(fault == nil, "round \(round): \(input)")
    }
    #expect(accepted > Self.rounds / 10 && accepted < Self.rounds * 9 / 10)
  }

  @Test("Chunked content")
  func chunkedContent() {
    var generator = SeededGenerator(state: 3)
    var accepted = 0
    for round in 0..<Self.rounds {
      let input = mutant(Self.chunks, &generator)
      let whole = decode(input, pieces: [input.count])
      #expect(decode(input, pieces: pieces(input.count, &generator)) == whole, "round \(round): \(input)")
      guard let summary = whole.value else { continue }
      accepted += 1
      let message = input[..<summary.byteCount]
      #expect(message.suffix(4).elementsEqual([13, 10, 13, 10]), "round \(round): \(input)")
      #expect(summary.content.count + 5 <= summary.byteCount, "round \(round): \(input)")
    }
    #expect(accepted > Self.rounds / 20)
  }

  @Test("Paths: the canonical form has no dot segments, double slashes or raw characters, and is stable")
  func paths() {
    var generator = SeededGenerator(state: 4)
    let corpus = ["/a/b/c", "/a/../b/./c//d", "/%41%2f%5c/..", "/x/%2e%2E/y", "/\\a;b=c/~d"]
    var accepted = 0
    for round in 0..<Self.rounds {
      let input = mutant(corpus, &generator)
      let path = text(input, ByteRange(start: 0, count: input.count))
      guard let canonical = normalised(path).value else { continue }
      accepted += 1
      #expect(normalised(canonical) == .accepted(canonical), "round \(round): \(input)")
      let segments = canonical.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
      #expect(canonical.hasPrefix("/") && !segments.dropLast().contains(""), "round \(round): \(input)")
      #expect(!segments.contains(".") && !segments.contains(".."), "round \(round): \(input)")
      #expect(!canonical.contains { "\\ \"<>?#[]^`{|}".contains($0) }, "round \(round): \(input)")
    }
    #expect(accepted > Self.rounds / 10)
  }

  @Test("PROXY protocol headers")
  func proxyHeaders() {
    var generator = SeededGenerator(state: 5)
    let corpus = [
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET", "PROXY TCP6 ::1 1::2 80 443\r\n",
      "\r\n\r\n\0\r\nQUIT\n\u{21}\u{11}\0\u{C}abcdefghijkl", "\r\n\r\n\0\r\nQUIT\n\u{20}\0\0\0",
    ]
    var accepted = 0
    for round in 0..<Self.rounds {
      let input = mutant(corpus, &generator)
      guard let header = try? PROXYProtocol.parse(input.span) else { continue }
      accepted += 1
      #expect(header.byteCount <= input.count && header.byteCount >= 15, "round \(round): \(input)")
      #expect((header.source == nil) == (header.destination == nil))
    }
    #expect(accepted > Self.rounds / 10)
  }
}
