/// What the rules of HTTP/2 say of a field, whatever message it stands in.
///
/// It is kept with each entry of a decoder's table: a field that comes again is not looked at again.
struct FieldTraits: BitwiseCopyable, Sendable {
  enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// A field that is not a pseudo-field, and is valid.
    case regular
    // Pseudo-fields, valid as far as their value shows.
    case method, scheme, authority, path, status, `protocol`
    /// `detail` is a ``HTTP2Malformation``.
    case malformed
    /// `detail` is a ``HTTP1Error``.
    case refused
  }

  var kind: Kind
  var known: KnownField
  /// `:method`: the ``HTTPMethod``. `:authority`: bytes of the host in the low half, whether a port
  /// follows in bit 16. `:path`: bytes in front of the query. `:status`: the number.
  var detail: UInt32

  @inline(__always)
  init(_ kind: Kind, known: KnownField = .other, detail: UInt32 = 0) {
    self.kind = kind
    self.known = known
    self.detail = detail
  }

  init(_ malformation: HTTP2Malformation) {
    self.init(.malformed, detail: UInt32(malformation.rawValue))
  }

  init(_ error: HTTP1Error) {
    self.init(.refused, detail: UInt32(error.rawValue))
  }

  /// The port bit of `detail`.
  static let hasPort: UInt32 = 1 << 16

  /// Whether the name is valid, and which it is: so it is for a field with the same name.
  private var isNameKnown: Bool { kind != .malformed && kind != .refused }

  /// Examines a line.
  ///
  /// - Parameters:
  ///   - start: where the line begins: the name, a colon and a space, the value, CR and LF. Bytes
  ///     behind it do not matter.
  ///   - nameTraits: what is known of an entry with the same name.
  static func examine(
    _ bytes: Span<UInt8>, from start: Int, nameCount: Int, valueCount: Int, nameTraits: FieldTraits? = nil
  ) -> FieldTraits {
    let value = ByteRange(start: start &+ nameCount &+ 2, count: valueCount)
    if let nameTraits, nameTraits.isNameKnown {
      if let malformation = malformation(of: value, in: bytes) { return FieldTraits(malformation) }
      return nameTraits.kind == .regular
        ? examineRegular(nameTraits.known, bytes, value)
        : PseudoField.examine(nameTraits.kind, bytes, value)
    }
    guard nameCount > 0 else { return FieldTraits(.emptyName) }
    if bytes[start] == ASCII.colon {
      let name = ByteRange(start: start, count: nameCount)
      return PseudoField.examine(bytes, name: name, value: value)
    }
    if let malformation = malformation(ofName: start, nameCount, in: bytes) {
      return FieldTraits(malformation)
    }
    if let malformation = malformation(of: value, in: bytes) { return FieldTraits(malformation) }
    return examineRegular(KnownField.named(bytes, at: start, count: nameCount), bytes, value)
  }

  /// Fields that are about a connection are not fields of HTTP/2 (RFC 9113 §8.2.2).
  @inline(__always)
  private static func examineRegular(
    _ known: KnownField, _ bytes: Span<UInt8>, _ value: ByteRange
  ) -> FieldTraits {
    switch known {
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade:
      FieldTraits(.connectionField)
    case .te where !bytes.equalsIgnoringCase(value, lowercase: "trailers"):
      FieldTraits(.teOtherThanTrailers)
    default: FieldTraits(.regular, known: known)
    }
  }

  /// A name is a token without upper-case letters (RFC 9113 §8.2.1).
  @inline(__always)
  private static func malformation(
    ofName start: Int, _ count: Int, in bytes: Span<UInt8>
  ) -> HTTP2Malformation? {
    var position = start
    let end = start &+ count
    while position < end {
      guard let word = bytes.word(at: position) else { break }
      let marks = Word.notNamePart(word) | Word.upperCase(word)
      let left = end &- position
      if (left >= 8 ? marks : marks & Word.mask(left)) != 0 { break }
      position &+= 8
    }
    if position >= end { return nil }
    return malformationByBytes(ofName: position, end, in: bytes)
  }

  @inline(never)
  private static func malformationByBytes(
    ofName start: Int, _ end: Int, in bytes: Span<UInt8>
  ) -> HTTP2Malformation? {
    for index in start..<end where !CharacterClass.isToken(bytes[index]) { return .invalidName }
    for index in start..<end where bytes[index] != bytes[index].asciiLowercased { return .upperCaseName }
    return nil
  }

  /// A value holds no control characters and has no white space around it.
  ///
  /// RFC 9113 §8.2.1 names NUL, CR and LF; RFC 9110 §5.5 all others but the tab, which HTTP/1 peers
  /// refuse too.
  @inline(__always)
  static func malformation(of value: ByteRange, in bytes: Span<UInt8>) -> HTTP2Malformation? {
    guard !value.isEmpty else { return nil }
    if CharacterClass.isBlank(bytes[Int(value.start)]) || CharacterClass.isBlank(bytes[value.end &- 1]) {
      return .whiteSpaceAroundValue
    }
    // It stops at the end of the line at the latest.
    return FieldSection.endOfLine(bytes, from: Int(value.start)) == value.end ? nil : .invalidValue
  }
}
