/// What a ``ChunkedDecoder`` found. All indices count from the start of the span it was given.
public enum ChunkedEvent: Equatable, Sendable {
  /// Content; go on from `end` of the range.
  case data(ByteRange)
  /// The bytes are used up. Those before `consumed` are done with; keep the others and call
  /// again, with `from` at the first of them, when there are more.
  case needMore(consumed: Int)
  /// The message is complete; the next one begins at `consumed`. The range holds the trailer
  /// lines without the empty line that ends them: see ``TrailerSection``.
  case end(trailers: ByteRange, consumed: Int)
}

/// Decodes the chunked transfer coding (RFC 9112 §7.1) as it arrives, strictly: sizes are
/// hexadecimal digits and nothing else, lines end with CR LF. Extensions are checked and dropped.
///
/// One decoder serves one message; it holds no bytes and allocates nothing.
public struct ChunkedDecoder: Sendable {
  /// The longest extensions of one chunk, in bytes. None is in use that needs more.
  public static let extensionBytesMax = 256
  /// The longest extensions of all chunks together, in bytes: they cost work and carry nothing.
  public static let extensionBytesTotalMax = 16384
  /// The longest trailer section, in bytes.
  public static let trailerBytesMax = 8192

  private enum State: UInt8 {
    case sizeStart, size, sizeLineFeed
    case extensionStart, extensionName, afterName, valueStart, value, quoted, quotedPair, afterValue
    case data, dataCarriageReturn, dataLineFeed
    case trailers, finished
  }

  private var state: State = .sizeStart
  /// Bytes of the current chunk that are still to come; while its size is read, the size so far.
  private var remaining: UInt64 = 0
  private var digits = 0
  private var extensionBytes = 0
  private var extensionBytesTotal = 0
  /// How many bytes of the trailer section were looked at, and where the last line began.
  private var trailerScanned = 0
  private var trailerLineStart = 0

  public init() {}

  /// Decodes on from an index: the next event.
  ///
  /// - Parameters:
  ///   - bytes: what was received; it need not begin at the same place at each call.
  ///   - start: the index of the first byte that no earlier event was done with.
  /// - Throws: what is wrong; the end of the message is then unknown.
  public mutating func next(_ bytes: Span<UInt8>, from start: Int) throws(HTTP1Error) -> ChunkedEvent {
    var position = start
    while position < bytes.count {
      switch state {
      case .data: return takeData(bytes, from: position)
      case .trailers, .finished: return try takeTrailers(bytes, from: position)
      default: try step(bytes[position])
      }
      position &+= 1
    }
    return .needMore(consumed: position)
  }

  private mutating func takeData(_ bytes: Span<UInt8>, from position: Int) -> ChunkedEvent {
    let count = Int(min(remaining, UInt64(bytes.count &- position)))
    remaining &-= UInt64(count)
    if remaining == 0 { state = .dataCarriageReturn }
    return .data(ByteRange(start: position, count: count))
  }

  /// Takes one byte of what stands between the data of chunks.
  @inline(__always)
  private mutating func step(_ byte: UInt8) throws(HTTP1Error) {
    switch state {
    case .sizeStart, .size: try stepSize(byte)
    case .sizeLineFeed:
      guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
      state = remaining == 0 ? .trailers : .data
    case .dataCarriageReturn:
      guard byte == ASCII.carriageReturn else { throw .missingChunkEnd }
      state = .dataLineFeed
    case .dataLineFeed:
      guard byte == ASCII.lineFeed else { throw .missingChunkEnd }
      state = .sizeStart
    default: try stepExtension(byte)
    }
  }

  @inline(__always)
  private mutating func stepSize(_ byte: UInt8) throws(HTTP1Error) {
    if state == .sizeStart {
      remaining = 0
      digits = 0
      extensionBytes = 0
    }
    if let digit = byte.hexDigitValue {
      digits &+= 1
      guard digits <= 16, remaining <= UInt64(Int64.max) >> 4 else { throw .invalidChunkSize }
      remaining = remaining << 4 | UInt64(digit)
      state = .size
      return
    }
    guard state == .size else { throw byte == ASCII.lineFeed ? .bareLineFeed : .invalidChunkSize }
    switch byte {
    case ASCII.carriageReturn: state = .sizeLineFeed
    case ASCII.semicolon:
      state = .extensionStart
      try countExtension()
    case ASCII.lineFeed: throw .bareLineFeed
    default: throw .invalidChunkSize
    }
  }

  private mutating func countExtension() throws(HTTP1Error) {
    extensionBytes &+= 1
    extensionBytesTotal &+= 1
    guard extensionBytes <= Self.extensionBytesMax, extensionBytesTotal <= Self.extensionBytesTotalMax
    else { throw .chunkExtensionsTooLong }
  }

  /// Takes one byte of `*( BWS ";" BWS name [ BWS "=" BWS value ] )` (RFC 9112 §7.1.1).
  private mutating func stepExtension(_ byte: UInt8) throws(HTTP1Error) {
    try countExtension()
    switch state {
    case .quoted:
      if byte == ASCII.backslash { state = .quotedPair } else if byte == ASCII.quote { state = .afterValue }
      try requireText(byte)
    case .quotedPair:
      try requireText(byte)
      state = .quoted
    case .extensionStart, .valueStart: try beginExtensionPart(byte)
    case .extensionName where CharacterClass.isToken(byte), .value where CharacterClass.isToken(byte): break
    default: try endExtensionPart(byte)
    }
  }

  private func requireText(_ byte: UInt8) throws(HTTP1Error) {
    guard byte >= ASCII.space && byte != ASCII.delete || byte == ASCII.tab else {
      throw byte == ASCII.lineFeed ? .bareLineFeed : .invalidChunkExtension
    }
  }

  private mutating func beginExtensionPart(_ byte: UInt8) throws(HTTP1Error) {
    if CharacterClass.isBlank(byte) { return }
    if CharacterClass.isToken(byte) {
      state = state == .valueStart ? .value : .extensionName
    } else if byte == ASCII.quote, state == .valueStart {
      state = .quoted
    } else {
      throw byte == ASCII.lineFeed ? .bareLineFeed : .invalidChunkExtension
    }
  }

  private mutating func endExtensionPart(_ byte: UInt8) throws(HTTP1Error) {
    let isName = state == .extensionName || state == .afterName
    switch byte {
    case ASCII.carriageReturn: state = .sizeLineFeed
    case ASCII.semicolon: state = .extensionStart
    case ASCII.equals where isName: state = .valueStart
    case ASCII.space, ASCII.tab: state = isName ? .afterName : .afterValue
    case ASCII.lineFeed: throw .bareLineFeed
    default: throw .invalidChunkExtension
    }
  }

  /// Waits until the whole trailer section is there, looking at each byte once.
  private mutating func takeTrailers(
    _ bytes: Span<UInt8>, from start: Int
  ) throws(HTTP1Error) -> ChunkedEvent {
    guard state == .trailers else {
      return .end(trailers: ByteRange(start: start, count: 0), consumed: start)
    }
    while true {
      let position = FieldSection.endOfLine(bytes, from: start &+ trailerScanned)
      trailerScanned = position &- start
      guard trailerScanned <= Self.trailerBytesMax else { throw .trailersTooLarge }
      guard position &+ 1 < bytes.count else {
        if position < bytes.count, bytes[position] != ASCII.carriageReturn {
          throw FieldSection.lineError(bytes[position])
        }
        return .needMore(consumed: start)
      }
      guard bytes[position] == ASCII.carriageReturn, bytes[position &+ 1] == ASCII.lineFeed else {
        throw FieldSection.lineError(bytes[position])
      }
      trailerScanned &+= 2
      if position &- start == trailerLineStart {
        let trailers = ByteRange(start: start, count: trailerLineStart)
        try TrailerSection.check(bytes, trailers)
        state = .finished
        return .end(trailers: trailers, consumed: position &+ 2)
      }
      trailerLineStart = trailerScanned
    }
  }
}
