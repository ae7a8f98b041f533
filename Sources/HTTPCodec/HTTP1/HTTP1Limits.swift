/// What a message head may cost before it is refused.
public struct HTTP1Limits: Equatable, Sendable {
  /// The longest request target, in bytes; a longer one is refused with 414. RFC 9112 §3 asks
  /// for at least 8,000 bytes.
  public var targetBytes: Int
  /// The longest head, in bytes, from the first line to the empty line; 431 beyond.
  public var headBytes: Int
  /// The most field lines in a head; 431 beyond.
  public var fields: Int

  public init(targetBytes: Int = 8192, headBytes: Int = 16384, fields: Int = 100) {
    self.targetBytes = targetBytes
    self.headBytes = headBytes
    self.fields = fields
  }

  /// Empty lines that a client may send before a request line (RFC 9112 §2.2 asks for one).
  static let emptyLinesMax = 2
  /// The longest method; no registered one has more than 17 bytes.
  static let methodBytesMax = 32
  /// The longest `Connection`, all its lines together: every field of the head is looked up in it.
  static let connectionBytesMax = 1024
  /// The longest host with its port: a DNS name has at most 253 bytes.
  static let authorityBytesMax = 262
}
