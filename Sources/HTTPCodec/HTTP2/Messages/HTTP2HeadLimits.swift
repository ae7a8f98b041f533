/// What a header block may cost before its message is refused.
public struct HTTP2HeadLimits: Equatable, Sendable {
  /// The longest `:path`, in bytes; 414 beyond.
  public var targetBytes: Int
  /// The longest head, in bytes as RFC 9113 §6.5.2 counts them: names, values and 32 for each
  /// field; 431 beyond. It is what SETTINGS_MAX_HEADER_LIST_SIZE announces.
  public var headBytes: Int
  /// The most field lines in a head, pseudo-fields not counted; 431 beyond.
  public var fields: Int
  /// Whether requests may have `:protocol`: what SETTINGS_ENABLE_CONNECT_PROTOCOL announces
  /// (RFC 8441 §3). Otherwise it is an unknown pseudo-field.
  public var allowsExtendedConnect: Bool

  public init(
    targetBytes: Int = 8192, headBytes: Int = 16384, fields: Int = 100, allowsExtendedConnect: Bool = false
  ) {
    self.targetBytes = targetBytes
    self.headBytes = headBytes
    self.fields = fields
    self.allowsExtendedConnect = allowsExtendedConnect
  }
}
