extension Span where Element == UInt8 {
  /// The field that servers which write names with underscores (CGI and its descendants, RFC 3875
  /// §4.1.18) take a name for: `X_Forwarded_For` is to them what `X-Forwarded-For` is.
  ///
  /// - Returns: ``KnownField/other`` for names without an underscore, and for those that are like no
  ///   name that is known.
  public func knownFieldSpelledWithUnderscores(_ name: ByteRange) -> KnownField {
    guard name.count <= 32 else { return .other }
    var mapped = InlineArray<32, UInt8>(repeating: 0)
    var hasUnderscore = false
    for index in 0..<Int(name.count) {
      let byte = self[Int(name.start) &+ index]
      if byte == 0x5F { hasUnderscore = true }
      mapped[index] = byte == 0x5F ? 0x2D : byte
    }
    return hasUnderscore ? KnownField.named(mapped.span, at: 0, count: Int(name.count)) : .other
  }
}
