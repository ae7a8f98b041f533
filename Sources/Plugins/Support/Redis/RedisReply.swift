/// A reply of a Redis server (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec).
enum RedisReply: Sendable, Equatable {
  /// `+OK`
  case status([UInt8])
  /// `-WRONGTYPE Operation against …`
  case error([UInt8])
  case integer(Int64)
  case bulk([UInt8])
  case null
  indirect case array([RedisReply])
}

/// Why bytes are no reply: what follows on the connection cannot be read either.
enum RedisProtocolError: Error, Equatable {
  case unknownType(UInt8)
  case malformedNumber
  case lineTooLong
  case stringTooLong
  case tooManyElements
  case tooDeep
  /// A string does not end where its length says.
  case missingLineEnd

  /// For the log.
  var text: String {
    switch self {
    case .unknownType: "a reply begins with a byte that no reply begins with"
    case .malformedNumber: "a number in a reply is malformed"
    case .lineTooLong: "a line of a reply is too long"
    case .stringTooLong: "a string in a reply is too long"
    case .tooManyElements: "a reply has too many elements"
    case .tooDeep: "arrays in a reply are nested too deeply"
    case .missingLineEnd: "a string in a reply does not end where its length says"
    }
  }
}

/// Reads replies out of bytes as they come. Nothing is read twice but the beginning of a line, and what is held is
/// bounded by constants: the server is a peer like any other.
struct RedisReplyParser {
  /// Numbers, statuses and errors. Errors of scripts hold some hundred bytes.
  static let lineBytesMax = 4_096
  static let stringBytesMax = 65_536
  /// Of one reply, at any depth.
  static let elementsMax = 256
  static let depthMax = 4

  enum Step: Equatable {
    /// What follows begins at `end`.
    case reply(RedisReply, end: Int)
    /// What is before `consumed` was read, and is not needed any more.
    case needMore(consumed: Int)
  }

  private struct OpenArray {
    let count: Int
    var elements: [RedisReply] = []
  }

  /// Those whose elements are still to come, the innermost last.
  private var open: [OpenArray] = []
  private var elementCount = 0
  /// Of the string whose bytes are to come.
  private var stringBytes: Int?

  init() {}

  /// Reads on from `start`.
  mutating func next(_ bytes: Span<UInt8>, from start: Int) throws(RedisProtocolError) -> Step {
    var position = start
    while true {
      let value: RedisReply?
      if let count = stringBytes {
        guard bytes.count - position >= count + 2 else { return .needMore(consumed: position) }
        guard bytes[position + count] == 13, bytes[position + count + 1] == 10 else {
          throw .missingLineEnd
        }
        stringBytes = nil
        value = .bulk(Self.copy(bytes, position..<position + count))
        position += count + 2
      } else {
        guard let end = try Self.lineEnd(bytes, from: position) else {
          return .needMore(consumed: position)
        }
        value = try read(bytes, position..<end)
        position = end + 2
      }
      if let value, let reply = complete(value) { return .reply(reply, end: position) }
    }
  }

  /// Where the line ends that begins at `start`; nil where its end has not come.
  private static func lineEnd(_ bytes: Span<UInt8>, from start: Int) throws(RedisProtocolError) -> Int? {
    var index = start
    let limit = min(bytes.count, start + lineBytesMax)
    while index < limit {
      if bytes[index] == 13 {
        guard index + 1 < bytes.count else { return nil }
        guard bytes[index + 1] == 10 else { throw .missingLineEnd }
        return index
      }
      index += 1
    }
    if index - start >= lineBytesMax { throw .lineTooLong }
    return nil
  }

  /// Takes a line without its end. Nil where more belongs to it.
  private mutating func read(
    _ bytes: Span<UInt8>, _ line: Range<Int>
  ) throws(RedisProtocolError) -> RedisReply? {
    guard let first = line.first else { throw .unknownType(13) }
    let rest = first + 1..<line.upperBound
    switch bytes[first] {
    case UInt8(ascii: "+"): return .status(Self.copy(bytes, rest))
    case UInt8(ascii: "-"): return .error(Self.copy(bytes, rest))
    case UInt8(ascii: ":"): return .integer(try Self.number(bytes, rest))
    case UInt8(ascii: "$"):
      guard let count = try Self.count(bytes, rest) else { return .null }
      guard count <= Self.stringBytesMax else { throw .stringTooLong }
      stringBytes = count
      return nil
    case UInt8(ascii: "*"):
      guard let count = try Self.count(bytes, rest) else { return .null }
      guard count > 0 else { return .array([]) }
      guard count <= Self.elementsMax - elementCount else { throw .tooManyElements }
      guard open.count < Self.depthMax else { throw .tooDeep }
      elementCount += count
      open.append(OpenArray(count: count))
      return nil
    case let byte: throw .unknownType(byte)
    }
  }

  /// Puts a value where it belongs.
  /// - Returns: the reply, where it is whole by that.
  private mutating func complete(_ value: RedisReply) -> RedisReply? {
    var value = value
    while var array = open.popLast() {
      array.elements.append(value)
      if array.elements.count < array.count {
        open.append(array)
        return nil
      }
      value = .array(array.elements)
    }
    elementCount = 0
    return value
  }

  /// Nil: -1, for nothing at all.
  private static func count(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RedisProtocolError) -> Int? {
    let number = try number(bytes, range)
    if number == -1 { return nil }
    guard number >= 0, let count = Int(exactly: number) else { throw .malformedNumber }
    return count
  }

  private static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RedisProtocolError) -> Int64 {
    guard let first = range.first else { throw .malformedNumber }
    let isNegative = bytes[first] == UInt8(ascii: "-")
    let digits = isNegative ? first + 1..<range.upperBound : range
    guard !digits.isEmpty else { throw .malformedNumber }
    var number: Int64 = 0
    for index in digits {
      let digit = bytes[index] &- UInt8(ascii: "0")
      guard digit < 10 else { throw .malformedNumber }
      let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
      // Downwards where it is negative: there is one number more on that side.
      let (sum, isTooFar) =
        isNegative
        ? tens.subtractingReportingOverflow(Int64(digit)) : tens.addingReportingOverflow(Int64(digit))
      guard !overflow, !isTooFar else { throw .malformedNumber }
      number = sum
    }
    return number
  }

  private static func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    var copy: [UInt8] = []
    copy.reserveCapacity(range.count)
    for index in range { copy.append(bytes[index]) }
    return copy
  }
}
