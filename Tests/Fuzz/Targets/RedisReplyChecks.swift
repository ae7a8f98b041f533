@testable import Plugins

/// What a Redis server sends.
///
/// - Replies that come in any pieces are those of the whole, and so is the mistake that ends them.
/// - A plain and slow reading, which keeps all bytes, reads the same replies.
/// - What was consumed lies within what came; replies come back from what they are when they are written.
/// - No reply is larger or deeper than the limits allow.
enum RedisReplyChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let whole = try read(input, [input.count])
    for ends in Pieces.ways(of: input) {
      let cut = try read(input, ends)
      try require(cut == whole, "in pieces that end at \(ends.prefix(40)): \(cut), as a whole: \(whole)")
    }
    var rest = input[...]
    var expected: [RedisReply] = []
    while let reply = PlainReply.take(&rest) { expected.append(reply) }
    try require(whole.replies == expected, "\(whole.replies), plainly read: \(expected)")
    for reply in whole.replies {
      try require(elements(of: reply) <= RedisReplyParser.elementsMax, "too many elements")
      try require(depth(of: reply) <= RedisReplyParser.depthMax, "too deep")
    }
    let written = whole.replies.flatMap(write)
    let again = try read(written, [written.count])
    try require(
      again.replies == whole.replies && again.error == nil, "written and read again: \(again), not \(whole)")
  }

  private struct Replies: Equatable {
    var replies: [RedisReply] = []
    var error: RedisProtocolError?
  }

  /// As a connection does: what was consumed goes, and what has come is appended.
  private static func read(_ input: [UInt8], _ ends: [Int]) throws(BrokenProperty) -> Replies {
    var parser = RedisReplyParser()
    var result = Replies()
    var held: [UInt8] = []
    var start = 0
    for end in ends {
      held += input[start..<end]
      start = end
      var position = 0
      do throws(RedisProtocolError) {
        while case .reply(let reply, let next) = try step(&parser, held, &position) {
          result.replies.append(reply)
          if next <= position || next > held.count { return Replies(replies: [], error: nil) }
          position = next
        }
      } catch {
        result.error = error
        return result
      }
      try require(position <= held.count, "\(position) of \(held.count) bytes were consumed")
      held.removeFirst(position)
      try require(
        held.count <= RedisReplyParser.stringBytesMax + RedisReplyParser.lineBytesMax, "too much is held")
    }
    return result
  }

  private static func step(
    _ parser: inout RedisReplyParser, _ held: [UInt8], _ position: inout Int
  ) throws(RedisProtocolError) -> RedisReplyParser.Step {
    let step = try parser.next(held.span, from: position)
    if case .needMore(let consumed) = step { position = consumed }
    return step
  }

  private static func elements(of reply: RedisReply) -> Int {
    guard case .array(let elements) = reply else { return 0 }
    return elements.reduce(elements.count) { $0 + self.elements(of: $1) }
  }

  private static func depth(of reply: RedisReply) -> Int {
    guard case .array(let elements) = reply, !elements.isEmpty else { return 0 }
    return 1 + (elements.map(depth).max() ?? 0)
  }

  private static func write(_ reply: RedisReply) -> [UInt8] {
    let end: [UInt8] = [13, 10]
    switch reply {
    case .status(let text): return [UInt8(ascii: "+")] + text + end
    case .error(let text): return [UInt8(ascii: "-")] + text + end
    case .integer(let number): return Array(":\(number)".utf8) + end
    case .bulk(let bytes): return Array("$\(bytes.count)".utf8) + end + bytes + end
    case .null: return Array("$-1".utf8) + end
    case .array(let elements): return Array("*\(elements.count)".utf8) + end + elements.flatMap(write)
    }
  }
}

/// Replies read by recursion from bytes that are all there.
private enum PlainReply {
  /// Nil where there is none, whole or well-formed.
  static func take(_ rest: inout ArraySlice<UInt8>) -> RedisReply? {
    var bytes = rest
    var elements = 0
    guard let reply = take(&bytes, depth: 0, &elements) else { return nil }
    rest = bytes
    return reply
  }

  private static func take(
    _ rest: inout ArraySlice<UInt8>, depth: Int, _ elements: inout Int
  ) -> RedisReply? {
    guard let line = line(&rest), let type = line.first else { return nil }
    let text = Array(line.dropFirst())
    switch type {
    case UInt8(ascii: "+"): return .status(text)
    case UInt8(ascii: "-"): return .error(text)
    case UInt8(ascii: ":"): return number(text).map { .integer($0) }
    case UInt8(ascii: "$"):
      guard let count = number(text), count >= -1, count <= RedisReplyParser.stringBytesMax else {
        return nil
      }
      if count == -1 { return .null }
      guard rest.count >= Int(count) + 2 else { return nil }
      let bytes = Array(rest.prefix(Int(count)))
      guard Array(rest.dropFirst(Int(count)).prefix(2)) == [13, 10] else { return nil }
      rest = rest.dropFirst(Int(count) + 2)
      return .bulk(bytes)
    case UInt8(ascii: "*"):
      guard let count = number(text), count >= -1, count <= RedisReplyParser.elementsMax else { return nil }
      if count == -1 { return .null }
      if count == 0 { return .array([]) }
      elements += Int(count)
      guard elements <= RedisReplyParser.elementsMax, depth < RedisReplyParser.depthMax else { return nil }
      var replies: [RedisReply] = []
      for _ in 0..<count {
        guard let reply = take(&rest, depth: depth + 1, &elements) else { return nil }
        replies.append(reply)
      }
      return .array(replies)
    default: return nil
    }
  }

  private static func line(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard let end = rest.firstIndex(of: 13), end - rest.startIndex < RedisReplyParser.lineBytesMax,
      rest[end...].dropFirst().first == 10
    else { return nil }
    defer { rest = rest[(end + 2)...] }
    return rest[..<end]
  }

  /// With a sign in front of a negative one only.
  private static func number(_ text: [UInt8]) -> Int64? {
    let digits = text.first == UInt8(ascii: "-") ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int64(String(decoding: text, as: UTF8.self))
  }
}
