/// The parts of a request line (RFC 9112 §3). Each takes the index where its part begins, and
/// returns where the next part begins, or nil where the bytes end too early.
enum RequestLine {
  /// Parses the method and the space after it.
  @inline(__always)
  static func parseMethod(
    _ bytes: Span<UInt8>, from start: Int, into head: inout RequestHead
  ) throws(HTTP1Error) -> Int? {
    if let word = bytes.word(at: start) {
      // Little-endian: "GET ", "POST ", "PUT ", "HEAD ".
      if word & 0xFFFF_FFFF == 0x2054_4547 { return setMethod(.get, start, 3, &head) }
      if word & 0xFF_FFFF_FFFF == 0x20_5453_4F50 { return setMethod(.post, start, 4, &head) }
      if word & 0xFFFF_FFFF == 0x2054_5550 { return setMethod(.put, start, 3, &head) }
      if word & 0xFF_FFFF_FFFF == 0x20_4441_4548 { return setMethod(.head, start, 4, &head) }
    }
    return try parseOtherMethod(bytes, from: start, into: &head)
  }

  @inline(__always)
  private static func setMethod(
    _ method: HTTPMethod, _ start: Int, _ count: Int, _ head: inout RequestHead
  ) -> Int {
    head.method = method
    head.methodRange = ByteRange(start: start, count: count)
    return start &+ count &+ 1
  }

  @inline(never)
  private static func parseOtherMethod(
    _ bytes: Span<UInt8>, from start: Int, into head: inout RequestHead
  ) throws(HTTP1Error) -> Int? {
    var position = start
    while position < bytes.count, CharacterClass.isToken(bytes[position]) {
      position &+= 1
      guard position &- start <= HTTP1Limits.methodBytesMax else { throw .methodTooLong }
    }
    guard position < bytes.count else { return nil }
    guard bytes[position] == ASCII.space, position > start else {
      throw bytes[position] == ASCII.lineFeed ? .bareLineFeed : .invalidMethod
    }
    let range = ByteRange(start: start, count: position &- start)
    return setMethod(HTTPMethod(bytes, range), start, Int(range.count), &head)
  }

  /// Parses the target; returns the index of the space after it.
  @inline(__always)
  static func parseTarget(
    _ bytes: Span<UInt8>, from start: Int, _ limits: HTTP1Limits, into head: inout RequestHead
  ) throws(HTTP1Error) -> Int? {
    var question = -1
    var position = start
    while true {
      position = nextDelimiter(bytes, from: position)
      guard position < bytes.count else { return nil }
      if bytes[position] == ASCII.question {
        if question < 0 { question = position }
        position &+= 1
        continue
      }
      break
    }
    guard position &- start <= limits.targetBytes else { throw .targetTooLong }
    guard bytes[position] == ASCII.space, position > start else { throw targetError(bytes[position]) }
    head.target = ByteRange(start: start, count: position &- start)
    let pathEnd = question < 0 ? position : question
    head.hasQuery = question >= 0
    head.query = question < 0 ? .empty : ByteRange(start: question &+ 1, count: position &- question &- 1)
    guard bytes[start] == ASCII.slash, head.method != .connect else {
      try RequestTarget.parseOtherForm(bytes, pathEnd: pathEnd, into: &head)
      return position
    }
    head.targetForm = .origin
    head.path = ByteRange(start: start, count: pathEnd &- start)
    return position
  }

  /// The index of the first question mark in a target, or of its end; nil where it holds a byte that
  /// it must not. A line end follows the target.
  static func pathEnd(_ bytes: Span<UInt8>, _ target: ByteRange) -> Int? {
    var question = -1
    var position = Int(target.start)
    while true {
      position = nextDelimiter(bytes, from: position)
      guard position < target.end else { break }
      guard bytes[position] == ASCII.question else { return nil }
      if question < 0 { question = position }
      position &+= 1
    }
    return question < 0 ? target.end : question
  }

  /// The next byte that is a question mark or may not be in a target: a space, a control
  /// character, a number sign (a fragment is never sent) or a byte of 128 and above.
  @inline(__always)
  private static func nextDelimiter(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while let word = bytes.word(at: position) {
      let marks =
        Word.less(word, than: 0x21) | Word.high(word) | Word.equal(word, to: ASCII.delete)
        | Word.equal(word, to: ASCII.hash) | Word.equal(word, to: ASCII.question)
      if marks != 0 { return position &+ Word.firstIndex(marks) }
      position &+= 8
    }
    while position < bytes.count {
      let byte = bytes[position]
      if byte <= ASCII.space || byte >= ASCII.delete || byte == ASCII.hash || byte == ASCII.question {
        return position
      }
      position &+= 1
    }
    return position
  }

  @inline(never)
  private static func targetError(_ byte: UInt8) -> HTTP1Error {
    byte == ASCII.lineFeed ? .bareLineFeed : .invalidTarget
  }

  /// Parses the space, the version and the end of the line; returns where the fields begin.
  @inline(__always)
  static func parseVersion(
    _ bytes: Span<UInt8>, from start: Int, into head: inout RequestHead
  ) throws(HTTP1Error) -> Int? {
    let end = start &+ 9
    // "HTTP/1.1", little-endian.
    guard let word = bytes.word(at: start &+ 1), word == 0x312E_312F_5054_5448 else {
      return try parseOtherVersion(bytes, from: start, into: &head)
    }
    head.version = .http11
    return try HTTPVersion.endOfLine(bytes, at: end)
  }

  @inline(never)
  private static func parseOtherVersion(
    _ bytes: Span<UInt8>, from start: Int, into head: inout RequestHead
  ) throws(HTTP1Error) -> Int? {
    guard let version = try HTTPVersion.parse(bytes, from: start &+ 1) else { return nil }
    // A version that is well-formed but not ours gets 505 only where the line ends after it.
    guard let end = try HTTPVersion.endOfLine(bytes, at: start &+ 9) else { return nil }
    guard let version = version.known else { throw .unsupportedVersion }
    head.version = version
    return end
  }
}

extension HTTPVersion {
  /// A well-formed version: nil inside for a major version other than 1.
  struct Parsed {
    var known: HTTPVersion?
  }

  /// Parses the eight bytes of a version; nil where the bytes end too early.
  static func parse(_ bytes: Span<UInt8>, from start: Int) throws(HTTP1Error) -> Parsed? {
    // "HTTP/d.d" with digits where the zeros are.
    let pattern: InlineArray<8, UInt8> = [0x48, 0x54, 0x54, 0x50, 0x2F, 0x30, 0x2E, 0x30]
    for index in 0..<8 {
      guard start &+ index < bytes.count else { return nil }
      let byte = bytes[start &+ index]
      let matches = pattern[index] == ASCII.zero ? CharacterClass.isDigit(byte) : byte == pattern[index]
      guard matches else { throw byte == ASCII.lineFeed ? .bareLineFeed : .malformedVersion }
    }
    guard bytes[start &+ 5] == ASCII.zero &+ 1 else { return Parsed(known: nil) }
    // A later minor version is answered as 1.1 (RFC 9110 §6.2).
    return Parsed(known: bytes[start &+ 7] == ASCII.zero ? .http10 : .http11)
  }

  /// The index after the line end at `start`; nil where the bytes end too early.
  @inline(__always)
  static func endOfLine(_ bytes: Span<UInt8>, at start: Int) throws(HTTP1Error) -> Int? {
    guard start &+ 1 < bytes.count else {
      if start < bytes.count, bytes[start] != ASCII.carriageReturn { throw endError(bytes[start]) }
      return nil
    }
    guard bytes[start] == ASCII.carriageReturn else { throw endError(bytes[start]) }
    guard bytes[start &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
    return start &+ 2
  }

  @inline(never)
  private static func endError(_ byte: UInt8) -> HTTP1Error {
    byte == ASCII.lineFeed ? .bareLineFeed : .malformedVersion
  }
}

extension HTTPMethod {
  /// The method of this name; methods are case-sensitive (RFC 9110 §9.1).
  public init(_ bytes: Span<UInt8>, _ range: ByteRange) {
    self =
      switch range.count {
      case 3: Self.match(bytes, range, "GET", .get) ?? Self.match(bytes, range, "PUT", .put) ?? .other
      case 4: Self.match(bytes, range, "POST", .post) ?? Self.match(bytes, range, "HEAD", .head) ?? .other
      case 5: Self.match(bytes, range, "PATCH", .patch) ?? Self.match(bytes, range, "TRACE", .trace) ?? .other
      case 6: Self.match(bytes, range, "DELETE", .delete) ?? .other
      case 7:
        Self.match(bytes, range, "OPTIONS", .options) ?? Self.match(bytes, range, "CONNECT", .connect)
          ?? .other
      default: .other
      }
  }

  private static func match(
    _ bytes: Span<UInt8>, _ range: ByteRange, _ name: String, _ method: HTTPMethod
  ) -> HTTPMethod? {
    var position = Int(range.start)
    for byte in name.utf8 {
      guard bytes[position] == byte else { return nil }
      position &+= 1
    }
    return method
  }
}
