import Testing

@testable import Plugins

@Suite("Replies of Redis servers")
struct RedisReplyTests {
  /// All replies in bytes that come in pieces of a size.
  private func replies(_ bytes: [UInt8], piece: Int = .max) throws -> [RedisReply] {
    var parser = RedisReplyParser()
    var replies: [RedisReply] = []
    var held: [UInt8] = []
    var rest = bytes[...]
    repeat {
      held += rest.prefix(piece)
      rest = rest.dropFirst(piece)
      var position = 0
      reading: while true {
        switch try parser.next(held.span, from: position) {
        case .reply(let reply, let end):
          replies.append(reply)
          position = end
        case .needMore(let consumed):
          held.removeFirst(consumed)
          break reading
        }
      }
    } while !rest.isEmpty
    return replies
  }

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private static let everything =
    "+OK\r\n-ERR no\r\n:-42\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n"
    + "*3\r\n:1\r\n*2\r\n+a\r\n*0\r\n$1\r\nb\r\n:9223372036854775807\r\n:-9223372036854775808\r\n"

  private static let read: [RedisReply] = [
    .status(Array("OK".utf8)), .error(Array("ERR no".utf8)), .integer(-42), .bulk(Array("a\r\n".utf8)), .null,
    .null,
    .array([]), .bulk([]),
    .array([.integer(1), .array([.status([97]), .array([])]), .bulk([98])]), .integer(.max), .integer(.min),
  ]

  @Test("all kinds, in pieces of any size", arguments: [1, 2, 3, 5, 7, 11, 64, 1_000])
  func pieces(size: Int) throws {
    #expect(try replies(bytes(Self.everything), piece: size) == Self.read)
  }

  @Test("what is cut short is no reply and no error", arguments: 0..<Self.everything.utf8.count)
  func truncated(count: Int) throws {
    let cut = try replies(Array(bytes(Self.everything).prefix(count)))
    #expect(cut == Array(Self.read.prefix(cut.count)))
  }

  @Test(
    "what is no reply is refused",
    arguments: [
      ("HTTP/1.1 400\r\n", RedisProtocolError.unknownType(72)), ("\r\n", .unknownType(13)),
      (":\r\n", .malformedNumber), (":-\r\n", .malformedNumber), (":1 \r\n", .malformedNumber),
      (":+1\r\n", .malformedNumber), (":9223372036854775808\r\n", .malformedNumber),
      (":-9223372036854775809\r\n", .malformedNumber), (":99999999999999999999\r\n", .malformedNumber),
      ("$-2\r\n", .malformedNumber), ("*-2\r\n", .malformedNumber), ("$\r\n", .malformedNumber),
      ("$65537\r\n", .stringTooLong), ("$9223372036854775807\r\n", .stringTooLong),
      ("$1\r\nab\r\n", .missingLineEnd), ("+a\rb\r\n", .missingLineEnd), ("*257\r\n", .tooManyElements),
      ("*200\r\n*57\r\n", .tooManyElements), ("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", .tooDeep),
      ("*2\r\n:1\r\n?\r\n", .unknownType(63)),
    ])
  func malformed(text: String, error: RedisProtocolError) {
    for size in [1, .max] {
      #expect(throws: error) { try replies(bytes(text), piece: size) }
    }
  }

  @Test("a line without an end is refused when it is too long, and no sooner")
  func longLines() throws {
    let longest = [UInt8](repeating: 97, count: RedisReplyParser.lineBytesMax - 2)
    #expect(try replies([43] + longest + [13, 10]) == [.status(longest)])
    #expect(throws: RedisProtocolError.lineTooLong) {
      try replies([43] + longest + [97, 97], piece: 100)
    }
  }

  @Test("the longest string is read, and elements count anew for each reply")
  func limits() throws {
    let string = [UInt8](repeating: 0, count: RedisReplyParser.stringBytesMax)
    #expect(try replies(bytes("$65536\r\n") + string + [13, 10], piece: 4_096) == [.bulk(string)])
    let array = bytes("*256\r\n") + Array(repeating: bytes(":1\r\n"), count: 256).joined()
    #expect(
      try replies(array + array)
        == Array(repeating: .array(Array(repeating: .integer(1), count: 256)), count: 2))
  }

  @Test("bytes of any kind, mutated, end in replies or an error")
  func mutations() {
    var random = SystemRandomNumberGenerator()
    let original = bytes(Self.everything)
    for _ in 0..<2_000 {
      var mutant = original
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        mutant[Int.random(in: 0..<mutant.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      let whole = try? replies(mutant)
      let pieces = try? replies(mutant, piece: Int.random(in: 1...9, using: &random))
      // How they come in makes no difference.
      #expect(whole == pieces, "\(mutant)")
    }
  }

  @Test("answers of the script are believed as far as they can be true")
  func scriptAnswers() {
    func answer(_ values: [Int64], wanted: Int = 5) -> BucketScript.Answer? {
      BucketScript.Answer(.array(values.map { .integer($0) }), wanted: wanted)
    }
    #expect(answer([5, 3, 0])?.granted == 5)
    #expect(answer([0, 0, 1_500])?.waitNanoseconds == 1_500_000)
    #expect(answer([0, 0, .max])?.waitNanoseconds == .max / 4)
    let impossible: [[Int64]] = [
      [6, 0, 0], [-1, 0, 0], [0, -1, 0], [0, 0, -1], [0, .max, 0], [1, 1], [1, 1, 1, 1], [],
    ]
    for values in impossible {
      #expect(answer(values) == nil, "\(values)")
    }
    #expect(BucketScript.Answer(.null, wanted: 1) == nil)
  }

  @Test("a queue keeps its order, whatever is taken in between")
  func queue() {
    var queue = FirstInFirstOut<Int>()
    var next = 0
    var expected = 0
    for round in 0..<500 {
      for _ in 0..<round % 7 {
        queue.append(next)
        next += 1
      }
      for _ in 0..<round % 5 {
        guard let first = queue.first else { break }
        #expect(queue.popFirst() == first && first == expected)
        expected += 1
      }
      #expect(queue.count == next - expected)
    }
    while let one = queue.popFirst() {
      #expect(one == expected)
      expected += 1
    }
    #expect(expected == next && queue.first == nil)
  }
}
