/// What the fields of a head say about the message itself: its host, framing and connection, and whether
/// it has credentials twice.
struct FieldMeaning {
  /// What `Transfer-Encoding` says, over all its lines.
  enum TransferEncoding: UInt8 {
    case absent
    /// `chunked` and nothing else.
    case chunked
    /// Codings that are not known, `chunked` not yet among them.
    case unknown
    /// Codings that are not known, then `chunked`.
    case unknownThenChunked
    case invalid
  }

  private(set) var host: ByteRange = .empty
  private(set) var hasHost = false
  private(set) var hasSeveralHosts = false
  private var hasCredentials = false
  private(set) var hasSeveralCredentials = false
  private(set) var contentLength: UInt64 = 0
  private(set) var hasContentLength = false
  private(set) var transferEncoding: TransferEncoding = .absent
  private(set) var connectionCloses = false
  private(set) var connectionKeepsAlive = false
  private(set) var hasConnectionOptions = false
  private var connectionBytes = 0
  private(set) var expectsContinue = false
  private(set) var expectsMore = false

  @inline(__always)
  init() {}

  /// Takes note of one field; only an error in its own syntax is thrown here.
  @inline(__always)
  mutating func note(
    _ known: KnownField, _ value: ByteRange, in bytes: Span<UInt8>
  ) throws(HTTP1Error) {
    switch known {
    case .host:
      if hasHost { hasSeveralHosts = true }
      hasHost = true
      host = value
    case .authorization:
      if hasCredentials { hasSeveralCredentials = true }
      hasCredentials = true
    case .contentLength: try noteContentLength(value, in: bytes)
    case .connection: try noteConnection(value, in: bytes)
    case .transferEncoding: noteTransferEncoding(value, in: bytes)
    case .expect: noteExpect(value, in: bytes)
    default: break
    }
  }

  @inline(__always)
  private mutating func noteContentLength(_ value: ByteRange, in bytes: Span<UInt8>) throws(HTTP1Error) {
    guard !hasContentLength else { throw .severalContentLengths }
    guard let length = bytes.decimal(in: value), length <= UInt64(Int64.max) else {
      throw .invalidContentLength
    }
    hasContentLength = true
    contentLength = length
  }

  private mutating func noteExpect(_ value: ByteRange, in bytes: Span<UInt8>) {
    if bytes.isContinue(value) { expectsContinue = true } else { expectsMore = true }
  }

  /// Nearly every `Connection` is `keep-alive` or `close` alone.
  @inline(__always)
  private mutating func noteConnection(_ value: ByteRange, in bytes: Span<UInt8>) throws(HTTP1Error) {
    if bytes.isKeepAlive(value) {
      connectionKeepsAlive = true
    } else if bytes.isClose(value) {
      connectionCloses = true
    } else {
      try noteConnectionList(value, in: bytes)
    }
  }

  @inline(never)
  private mutating func noteConnectionList(
    _ value: ByteRange, in bytes: Span<UInt8>
  ) throws(HTTP1Error) {
    connectionBytes &+= Int(value.count)
    guard connectionBytes <= HTTP1Limits.connectionBytesMax else { throw .connectionTooLong }
    var list = ListCursor(value)
    while let option = list.next(in: bytes) {
      guard bytes.isToken(option) else { throw .invalidConnection }
      if bytes.isKeepAlive(option) {
        connectionKeepsAlive = true
      } else if bytes.isClose(option) {
        connectionCloses = true
      } else {
        hasConnectionOptions = true
      }
    }
  }

  @inline(never)
  private mutating func noteTransferEncoding(_ value: ByteRange, in bytes: Span<UInt8>) {
    if transferEncoding == .absent, bytes.isChunked(value) {
      transferEncoding = .chunked
      return
    }
    var list = ListCursor(value)
    var isEmpty = true
    while let coding = list.next(in: bytes) {
      isEmpty = false
      transferEncoding = after(coding, in: bytes)
    }
    // A list with empty members is legal to receive, but "chunked," is read as "not chunked" by
    // some parsers: only what everyone reads alike is accepted.
    if isEmpty || list.sawEmptyMember { transferEncoding = .invalid }
  }

  private func after(_ coding: ByteRange, in bytes: Span<UInt8>) -> TransferEncoding {
    let isChunked = bytes.isChunked(coding)
    guard bytes.isCoding(coding) else { return .invalid }
    return switch transferEncoding {
    case .absent: isChunked ? .chunked : .unknown
    case .unknown: isChunked ? .unknownThenChunked : .unknown
    case .chunked, .unknownThenChunked, .invalid: .invalid
    }
  }

  /// Where the content ends, as far as `Transfer-Encoding` and `Content-Length` say; nil where
  /// neither is present (RFC 9112 §6.3).
  @inline(__always)
  func framing(_ version: HTTPVersion) throws(HTTP1Error) -> BodyFraming? {
    guard transferEncoding == .absent else { return try chunkedFraming(version) }
    return hasContentLength ? .length(contentLength) : nil
  }

  @inline(never)
  private func chunkedFraming(_ version: HTTPVersion) throws(HTTP1Error) -> BodyFraming {
    guard !hasContentLength else { throw .contentLengthAndTransferEncoding }
    guard version == .http11 else { throw .transferEncodingInHTTP10 }
    switch transferEncoding {
    case .chunked: return .chunked
    case .unknown, .unknownThenChunked: throw .unknownTransferCoding
    case .invalid, .absent: throw .invalidTransferEncoding
    }
  }

  /// Whether the sender wants the connection to stay (RFC 9112 §9.3); `close` wins.
  @inline(__always)
  func isPersistent(_ version: HTTPVersion) -> Bool {
    !connectionCloses && (version == .http11 || connectionKeepsAlive)
  }
}

extension Span where Element == UInt8 {
  // Lower-case words, little-endian, as in `KnownField.named`. Setting bit 5 makes other bytes
  // alike too (0x0D and a hyphen), but no control character gets this far.

  @inline(__always)
  fileprivate func isClose(_ range: ByteRange) -> Bool {
    range.count == 5 && lowercasedWord(at: Int(range.start), count: 5) == 0x65_736F_6C63  // close
  }

  @inline(__always)
  fileprivate func isKeepAlive(_ range: ByteRange) -> Bool {
    range.count == 10
      && lowercasedWord(at: Int(range.start), count: 8) == 0x696C_612D_7065_656B  // keep-ali
      && lowercasedWord(at: Int(range.start) &+ 2, count: 8) == 0x6576_696C_612D_7065  // ep-alive
  }

  fileprivate func isChunked(_ range: ByteRange) -> Bool {
    range.count == 7 && lowercasedWord(at: Int(range.start), count: 7) == 0x64_656B_6E75_6863  // chunked
  }

  fileprivate func isContinue(_ range: ByteRange) -> Bool {
    equalsIgnoringCase(range, lowercase: "100-continue")
  }

  /// A transfer coding with or without parameters, as far as the name's end shows.
  fileprivate func isCoding(_ range: ByteRange) -> Bool {
    var position = Int(range.start)
    while position < range.end, CharacterClass.isToken(self[position]) { position &+= 1 }
    guard position > Int(range.start) else { return false }
    let name = ByteRange(start: Int(range.start), count: position &- Int(range.start))
    guard position < range.end else { return true }
    // `chunked` has no parameters (RFC 9112 §7.1); those of others do not matter here.
    while position < range.end, CharacterClass.isBlank(self[position]) { position &+= 1 }
    return !isChunked(name) && self[position] == ASCII.semicolon
  }
}
