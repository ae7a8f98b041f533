import HTTPCodec

/// What a cache has to know of a response's head, read from its fields once.
struct ResponseFacts {
  enum Expiry: Equatable {
    case none
    /// Not a date: it has expired (RFC 9111 §5.3).
    case past
    /// Seconds since 1970.
    case at(Int64)
  }

  var status: UInt16 = 200
  var directives = ResponseDirectives()
  var expires = Expiry.none
  /// Seconds since 1970; nil where there is none that can be read.
  var date: Int64?
  /// Seconds, as `Age` says.
  var age: Int64 = 0
  var lastModified: Int64?
  /// As it is written; empty where there is none.
  var entityTag: [UInt8] = []
  var hasSetCookie = false
  /// Names in `Vary`, in lower case, each once.
  var vary: [[UInt8]] = []
  /// `Vary` has `*`, or more names than are looked at.
  var variesByAnything = false
  /// Without parameters, in lower case.
  var contentType: [UInt8] = []
  /// Of those fields that the configuration names; in the order in which they come.
  var tags: [[UInt8]] = []
  /// Of its content, as far as it says.
  var length: UInt64?
  private var hasAge = false
  private var severalTags = false

  /// Names in `Vary` above which a response is not stored: each is compared for every request.
  static let varyMax = 16
  /// A response's tags, and the bytes of one.
  static let tagsMax = 64
  static let tagBytesMax = 256

  /// Takes note of a field.
  /// - tagFields: Names in lower case.
  mutating func note(_ field: Field, in bytes: Span<UInt8>, tagFields: [[UInt8]] = []) {
    switch field.known {
    case .date: date = HTTPDate.read(field.value, in: bytes)
    case .setCookie: hasSetCookie = true
    case .contentType: noteContentType(field.value, in: bytes)
    case .contentLength: length = bytes.decimal(in: field.value)
    case .other: noteOther(field, in: bytes, tagFields)
    default: break
    }
  }

  private mutating func noteOther(_ field: Field, in bytes: Span<UInt8>, _ tagFields: [[UInt8]]) {
    func has(_ text: String) -> Bool { bytes.equalsIgnoringCase(field.name, lowercase: text) }
    switch field.name.count {
    case 3: if has("age") { noteAge(field.value, in: bytes) }
    case 4:
      if has("etag") { noteEntityTag(field.value, in: bytes) }
      if has("vary") { noteVary(field.value, in: bytes) }
    case 7:
      // Of two, none can be trusted.
      if has("expires") {
        let time = HTTPDate.read(field.value, in: bytes)
        expires = expires == .none ? time.map { .at($0) } ?? .past : .past
      }
    case 13:
      if has("cache-control") { directives.note(field.value, in: bytes) }
      if has("last-modified") { lastModified = HTTPDate.read(field.value, in: bytes) }
    default: break
    }
    for name in tagFields where bytes.equalsIgnoringCase(field.name, lowercase: name) {
      noteTags(field.value, in: bytes)
    }
  }

  /// The first number counts (RFC 9111 §5.1).
  private mutating func noteAge(_ value: ByteRange, in bytes: Span<UInt8>) {
    if hasAge { return }
    hasAge = true
    var cursor = ListCursor(value)
    age = DeltaSeconds.read(cursor.next(in: bytes), in: bytes) ?? 0
  }

  private mutating func noteEntityTag(_ value: ByteRange, in bytes: Span<UInt8>) {
    // Two say nothing that can be relied on.
    if !entityTag.isEmpty { severalTags = true }
    entityTag = severalTags || !EntityTags.isValid(value, in: bytes) ? [] : Self.copy(value, bytes)
  }

  private mutating func noteVary(_ value: ByteRange, in bytes: Span<UInt8>) {
    var cursor = ListCursor(value)
    while let name = cursor.next(in: bytes) {
      guard bytes.isToken(name), !bytes.equals(name, Self.asterisk), vary.count < Self.varyMax else {
        variesByAnything = true
        return
      }
      let text = Self.lowercased(name, bytes)
      if !vary.contains(text) { vary.append(text) }
    }
  }

  private static let asterisk = [UInt8(ascii: "*")]

  private mutating func noteContentType(_ value: ByteRange, in bytes: Span<UInt8>) {
    let end = value.range.first { bytes[$0] == UInt8(ascii: ";") } ?? value.end
    let type = bytes.trimmed(ByteRange(start: Int(value.start), count: end - Int(value.start)))
    contentType = Self.lowercased(type, bytes)
  }

  /// `Surrogate-Key` has them separated by spaces, `Cache-Tag` by commas.
  private mutating func noteTags(_ value: ByteRange, in bytes: Span<UInt8>) {
    var start = Int(value.start)
    for index in Int(value.start)...value.end {
      guard index == value.end || bytes[index] == 0x20 || bytes[index] == UInt8(ascii: ",") || bytes[index] == 9
      else { continue }
      if index > start, index - start <= Self.tagBytesMax, tags.count < Self.tagsMax {
        tags.append(Self.copy(ByteRange(start: start, count: index - start), bytes))
      }
      start = index + 1
    }
  }

  private static func copy(_ range: ByteRange, _ bytes: Span<UInt8>) -> [UInt8] {
    var copy: [UInt8] = []
    copy.reserveCapacity(Int(range.count))
    for index in range.range { copy.append(bytes[index]) }
    return copy
  }

  private static func lowercased(_ range: ByteRange, _ bytes: Span<UInt8>) -> [UInt8] {
    copy(range, bytes).map(\.asciiLowercased)
  }
}
