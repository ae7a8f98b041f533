/// Puts a message together from the fields of a block, as far as all messages have it in common:
/// limits, the order of pseudo-fields, and what fields mean.
struct MessageAssembly {
  /// What may stand in the block.
  enum Kind: UInt8 {
    case request, response, trailers
    /// Nobody wants the message.
    case nothing
  }

  /// Pseudo-fields that were seen, as bits; ``regular`` once there was another field.
  struct Seen: OptionSet {
    var rawValue: UInt8
    static let method = Seen(rawValue: 1)
    static let scheme = Seen(rawValue: 2)
    static let authority = Seen(rawValue: 4)
    static let path = Seen(rawValue: 8)
    static let status = Seen(rawValue: 16)
    static let `protocol` = Seen(rawValue: 32)
    static let regular = Seen(rawValue: 64)
  }

  let kind: Kind
  private let fieldsMax: Int
  private let allowed: Seen
  /// What the limit leaves to the fields that follow; negative beyond it.
  private var bytesLeft: Int
  /// How far beyond the limit a block may go, as a negative number: 16 times the limit. Peers do not
  /// send that much, but a few bytes that name the same entry again and again can stand for it.
  private let excessBytesMax: Int
  /// The first thing that is wrong. Nothing is kept of the fields that follow.
  private(set) var failure: HTTP2BlockError?
  private var isDiscarding: Bool

  private(set) var seen: Seen = []
  /// The values of pseudo-fields, and ``FieldTraits/detail`` of them.
  private(set) var method = ByteRange.empty
  private(set) var methodDetail: UInt32 = 0
  private(set) var authority = ByteRange.empty
  private(set) var authorityDetail: UInt32 = 0
  private(set) var path = ByteRange.empty
  private(set) var pathDetail: UInt32 = 0
  private(set) var protocolName = ByteRange.empty
  private(set) var status: UInt32 = 0
  private(set) var meaning = FieldMeaning()
  private(set) var cookieCount = 0
  private(set) var cookieBytes = 0

  init(_ kind: Kind, limits: HTTP2HeadLimits) {
    self.kind = kind
    fieldsMax = limits.fields
    bytesLeft = limits.headBytes
    excessBytesMax = -max(limits.headBytes &* 16, 1 << 18)
    isDiscarding = kind == .nothing
    allowed =
      switch kind {
      case .request:
        limits.allowsExtendedConnect
          ? [.method, .scheme, .authority, .path, .protocol] : [.method, .scheme, .authority, .path]
      case .response: .status
      case .trailers, .nothing: []
      }
  }

  /// Notes what is wrong; the first one counts.
  @inline(never)
  mutating func fail(_ error: HTTP2BlockError) {
    if failure == nil { failure = error }
    isDiscarding = true
  }

  /// Whether a field is wanted: its size, as RFC 9113 §6.5.2 counts it, is within the limit, and
  /// nothing was wrong so far.
  ///
  /// What is beyond the limit is not even copied: a block of a few bytes can name kilobytes.
  ///
  /// - Throws: ENHANCE_YOUR_CALM where the fields are so far beyond the limit that no one would send
  ///   them but to cause work.
  @inline(__always)
  mutating func makeRoom(for size: Int) throws(HTTP2BlockError) -> Bool {
    bytesLeft &-= size
    if isDiscarding || bytesLeft < 0 { return try discard() }
    return true
  }

  @inline(never)
  private mutating func discard() throws(HTTP2BlockError) -> Bool {
    guard bytesLeft >= excessBytesMax else { throw .connection(.enhanceYourCalm) }
    if bytesLeft < 0, !isDiscarding {
      fail(.refused(kind == .trailers ? .trailersTooLarge : .headTooLarge))
    }
    return false
  }

  /// Takes the field whose line begins at `start`.
  @inline(__always)
  mutating func take(
    _ entry: HPACKEntry<FieldTraits>, at start: Int, in bytes: Span<UInt8>, into fields: inout [Field]
  ) {
    let nameCount = Int(entry.nameCount)
    let value = ByteRange(start: start &+ nameCount &+ 2, count: Int(entry.valueCount))
    let traits = entry.note
    guard traits.kind == .regular else { return takePseudoField(traits, value) }
    seen.insert(.regular)
    guard fields.count < fieldsMax else { return fail(.refused(.tooManyFields)) }
    fields.append(Field(name: ByteRange(start: start, count: nameCount), value: value, known: traits.known))
    if traits.known != .other { note(traits.known, value, in: bytes) }
  }

  @inline(__always)
  private mutating func note(_ known: KnownField, _ value: ByteRange, in bytes: Span<UInt8>) {
    switch known {
    case .cookie:
      cookieCount &+= 1
      cookieBytes &+= Int(value.count)
    case .host, .authorization, .contentLength, .expect:
      if kind == .trailers { return }
      do throws(HTTP1Error) { try meaning.note(known, value, in: bytes) } catch { fail(.refused(error)) }
    default: break
    }
  }

  @inline(__always)
  private mutating func takePseudoField(_ traits: FieldTraits, _ value: ByteRange) {
    let field: Seen
    switch traits.kind {
    case .method:
      field = .method
      method = value
      methodDetail = traits.detail
    case .scheme: field = .scheme
    case .authority:
      field = .authority
      authority = value
      authorityDetail = traits.detail
    case .path:
      field = .path
      path = value
      pathDetail = traits.detail
    case .status:
      field = .status
      status = traits.detail
    case .protocol:
      field = .protocol
      protocolName = value
    case .regular: return
    case .malformed, .refused: return fail(traits)
    }
    guard allowed.contains(field), seen.isDisjoint(with: [field, .regular]) else {
      return failPseudoField(field)
    }
    seen.insert(field)
  }

  @inline(never)
  private mutating func fail(_ traits: FieldTraits) {
    let code = UInt8(truncatingIfNeeded: traits.detail)
    if traits.kind == .refused, let error = HTTP1Error(rawValue: code) {
      fail(.refused(error))
    } else {
      fail(.malformed(HTTP2Malformation(rawValue: code) ?? .invalidName))
    }
  }

  @inline(never)
  private mutating func failPseudoField(_ field: Seen) {
    guard allowed.contains(field) else {
      return fail(
        .malformed(field == .protocol && kind == .request ? .unknownPseudoField : .wrongPseudoField))
    }
    fail(.malformed(seen.contains(field) ? .repeatedPseudoField : .latePseudoField))
  }
}
