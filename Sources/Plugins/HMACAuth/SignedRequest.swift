import DataPlane
import HTTPCodec
import TLS

/// What the field with a signature says (RFC 9110 §11.4). Ranges are of the bytes that it was read from.
struct SignatureParameters {
  enum Form {
    /// Kong's: `hmac username="…", algorithm="…", headers="…", signature="…"`.
    case hmac
    /// APISIX's: `Signature keyId="…",algorithm="…",headers="…",signature="…"`.
    case signature
  }

  let form: Form
  private(set) var username = ByteRange.empty
  private(set) var algorithm = ByteRange.empty
  private(set) var headers = ByteRange.empty
  private(set) var signature = ByteRange.empty

  enum Reading {
    /// Of another scheme: somebody else's.
    case other
    case malformed
    case parameters(SignatureParameters)
  }

  static func read(_ value: ByteRange, in bytes: Span<UInt8>) -> Reading {
    var position = Int(value.start)
    while position < value.end, bytes[position] != 0x20 { position += 1 }
    let scheme = ByteRange(start: Int(value.start), count: position - Int(value.start))
    var parameters: SignatureParameters
    if bytes.equalsIgnoringCase(scheme, lowercase: "hmac") {
      parameters = SignatureParameters(form: .hmac)
    } else if bytes.equalsIgnoringCase(scheme, lowercase: "signature") {
      parameters = SignatureParameters(form: .signature)
    } else {
      return .other
    }
    return parameters.readList(from: position, to: value.end, bytes) ? .parameters(parameters) : .malformed
  }

  private init(form: Form) { self.form = form }

  /// `name="value"`, separated by commas; each of them once.
  private mutating func readList(from start: Int, to end: Int, _ bytes: Span<UInt8>) -> Bool {
    var position = start
    while true {
      while position < end, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
      let nameStart = position
      while position < end, bytes[position] != UInt8(ascii: "=") { position += 1 }
      let name = ByteRange(start: nameStart, count: position - nameStart)
      // A name with a quote or a comma in it would hide others in itself.
      guard bytes.isToken(name), position + 1 < end, bytes[position + 1] == UInt8(ascii: "\"") else {
        return false
      }
      let valueStart = position + 2
      position = valueStart
      while position < end, bytes[position] != UInt8(ascii: "\"") {
        // Nothing that is signed with needs to be escaped.
        if bytes[position] == UInt8(ascii: "\\") { return false }
        position += 1
      }
      guard position < end, set(name, ByteRange(start: valueStart, count: position - valueStart), bytes)
      else {
        return false
      }
      position += 1
      while position < end, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
      if position == end { return hasAll }
      guard bytes[position] == UInt8(ascii: ",") else { return false }
      position += 1
    }
  }

  private var hasAll: Bool {
    !username.isEmpty && !algorithm.isEmpty && !headers.isEmpty && !signature.isEmpty
  }

  private mutating func set(_ name: ByteRange, _ value: ByteRange, _ bytes: Span<UInt8>) -> Bool {
    if bytes.equalsIgnoringCase(name, lowercase: form == .hmac ? "username" : "keyid") {
      return Self.set(&username, value)
    }
    if bytes.equalsIgnoringCase(name, lowercase: "algorithm") { return Self.set(&algorithm, value) }
    if bytes.equalsIgnoringCase(name, lowercase: "headers") { return Self.set(&headers, value) }
    if bytes.equalsIgnoringCase(name, lowercase: "signature") { return Self.set(&signature, value) }
    // Others, such as created, are signed by nobody and mean nothing.
    return true
  }

  private static func set(_ parameter: inout ByteRange, _ value: ByteRange) -> Bool {
    if !parameter.isEmpty || value.isEmpty { return false }
    parameter = value
    return true
  }

  func digest(_ bytes: Span<UInt8>) -> DigestAlgorithm? {
    if bytes.equalsIgnoringCase(algorithm, lowercase: "hmac-sha256") { return .sha256 }
    if bytes.equalsIgnoringCase(algorithm, lowercase: "hmac-sha512") { return .sha512 }
    if bytes.equalsIgnoringCase(algorithm, lowercase: "hmac-sha384") { return .sha384 }
    if bytes.equalsIgnoringCase(algorithm, lowercase: "hmac-sha1") { return .sha1 }
    return nil
  }
}

/// What a signature is made over, and what it covers.
struct SigningText {
  /// Kept for its memory.
  private(set) var bytes: [UInt8] = []
  /// A date within the clock's skew is among what is signed.
  private(set) var isTimely = false
  private(set) var hasDigest = false
  /// Of those that have to be signed, by bit.
  private var enforced: UInt32 = 0

  /// Writes what has to have been signed.
  ///
  /// - now: In seconds since 1970.
  /// - Returns: false where something is not signed that has to be, or too much is.
  mutating func make(
    _ parameters: SignatureParameters, _ exchange: Exchange, _ settings: HMACAuth, now: Int64
  ) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    isTimely = false
    hasDigest = false
    enforced = 0
    let input = exchange.input
    let source = input.bytes
    if parameters.form == .signature {
      append(parameters.username, source)
      bytes.append(10)
    }
    var position = Int(parameters.headers.start)
    var count = 0
    while position < parameters.headers.end {
      if source[position] == 0x20 {
        position += 1
        continue
      }
      let start = position
      while position < parameters.headers.end, source[position] != 0x20 { position += 1 }
      count += 1
      if count > HMACAuth.signedNamesMax { return false }
      let name = ByteRange(start: start, count: position - start)
      note(name, source, settings)
      if parameters.form == .hmac, count > 1 { bytes.append(10) }
      appendLine(name, parameters.form, exchange, source, settings, now)
    }
    return enforced.nonzeroBitCount == settings.enforced.count
  }

  private mutating func note(_ name: ByteRange, _ source: Span<UInt8>, _ settings: HMACAuth) {
    if source.equalsIgnoringCase(name, lowercase: "digest") { hasDigest = true }
    for index in settings.enforced.indices
    where source.equalsIgnoringCase(name, lowercase: settings.enforced[index]) {
      enforced |= 1 << UInt32(index)
    }
  }

  private mutating func appendLine(
    _ name: ByteRange, _ form: SignatureParameters.Form, _ exchange: Exchange, _ source: Span<UInt8>,
    _ settings: HMACAuth, _ now: Int64
  ) {
    let request = exchange.request
    if source.equalsIgnoringCase(name, lowercase: "@request-target") {
      if form == .hmac {
        append(name, source)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(0x20)
      }
      let start = bytes.count
      append(request.methodRange, source)
      if form == .hmac {
        for index in start..<bytes.count { bytes[index] = bytes[index].asciiLowercased }
      }
      bytes.append(0x20)
      appendTarget(request, source)
      if form == .signature { bytes.append(10) }
      return
    }
    if form == .hmac, source.equalsIgnoringCase(name, lowercase: "request-line") {
      append(request.methodRange, source)
      bytes.append(0x20)
      appendTarget(request, source)
      bytes += Self.protocolText(request.version)
      return
    }
    let lineStart = bytes.count
    append(name, source)
    bytes.append(UInt8(ascii: ":"))
    let valueStart = bytes.count
    let isThere = appendValue(name, request, source)
    // APISIX leaves out what is not there; Kong signs its name.
    if !isThere, form == .signature { return bytes.removeSubrange(lineStart...) }
    if isThere, isDate(name, source) { noteDate(from: valueStart + 1, settings, now) }
    if form == .signature { bytes.append(10) }
  }

  /// All values of a field, as one (RFC 9110 §5.3): what is added behind a signed line does not pass as signed.
  private mutating func appendValue(_ name: ByteRange, _ request: RequestHead, _ source: Span<UInt8>) -> Bool
  {
    if source.equalsIgnoringCase(name, lowercase: "host") {
      // The one that routes are found by: of `Host` and an absolute target, the target's counts.
      if request.authority.isEmpty { return false }
      bytes.append(0x20)
      append(request.authority, source)
      return true
    }
    var isThere = false
    for field in request.fields where source.equalIgnoringCase(field.name, name) {
      if isThere { bytes.append(UInt8(ascii: ",")) }
      bytes.append(0x20)
      append(field.value, source)
      isThere = true
    }
    return isThere
  }

  private func isDate(_ name: ByteRange, _ source: Span<UInt8>) -> Bool {
    source.equalsIgnoringCase(name, lowercase: "date") || source.equalsIgnoringCase(name, lowercase: "x-date")
  }

  private mutating func noteDate(from start: Int, _ settings: HMACAuth, _ now: Int64) {
    guard let date = HTTPDate.seconds(bytes.span.extracting(start..<bytes.count), now: now) else { return }
    if abs(date - now) <= settings.clockSkewSeconds { isTimely = true }
  }

  /// As it was sent, without scheme and host.
  private mutating func appendTarget(_ request: RequestHead, _ source: Span<UInt8>) {
    if request.targetForm == .asterisk {
      bytes.append(UInt8(ascii: "*"))
    } else if request.path.isEmpty {
      bytes.append(UInt8(ascii: "/"))
    } else {
      append(request.path, source)
    }
    if request.hasQuery {
      bytes.append(UInt8(ascii: "?"))
      append(request.query, source)
    }
  }

  private mutating func append(_ range: ByteRange, _ source: Span<UInt8>) {
    for index in range.range { bytes.append(source[index]) }
  }

  private static func protocolText(_ version: HTTPVersion) -> [UInt8] {
    switch version {
    case .http10: text10
    case .http11: text11
    case .http2: text20
    }
  }

  private static let text10 = Array(" HTTP/1.0".utf8)
  private static let text11 = Array(" HTTP/1.1".utf8)
  private static let text20 = Array(" HTTP/2.0".utf8)
}
