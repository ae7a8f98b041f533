import HTTPCodec
import TLS

/// A token in its compact form (RFC 7515 §3.1), taken apart. Kept for its memory, and a class so that none of its lists
/// is counted where it is handed on; nothing in it is believed before its signature was verified.
final class JWTToken {
  /// The longest that is read, in bytes: four times what endpoints usually take in a field.
  static let bytesMax = 16_384

  enum Failure: Error {
    /// It is not of three parts, or a part is not what it has to be.
    case malformed
    /// Signed in a way that is not known here, or not at all.
    case algorithm
  }

  private(set) var text: [UInt8] = []
  /// The part that is signed.
  private(set) var signedCount = 0
  private(set) var algorithm = JWTAlgorithm.hs256
  /// The key's name; nil where the token gives none.
  private(set) var keyIdentifier: [UInt8]?
  private(set) var signature: [UInt8] = []
  private(set) var claimsText: [UInt8] = []
  private(set) var claims: [JSONMember] = []
  private(set) var headerText: [UInt8] = []
  private(set) var header: [JSONMember] = []

  private static let alg = Array("alg".utf8)
  private static let kid = Array("kid".utf8)
  private static let crit = Array("crit".utf8)

  func read(_ token: Span<UInt8>) throws(Failure) {
    guard token.count <= Self.bytesMax else { throw .malformed }
    let dot = UInt8(ascii: ".")
    guard let firstDot = token.firstIndex(of: dot, from: 0),
      let secondDot = token.firstIndex(of: dot, from: firstDot + 1),
      firstDot > 0, secondDot > firstDot + 1
    else { throw .malformed }
    text.removeAll(keepingCapacity: true)
    text.append(addingCapacity: token.count) { copy in
      for index in token.indices { copy.append(token[index]) }
    }
    signedCount = secondDot
    // Where there are five parts, as of tokens that are encrypted (RFC 7516 §3.1), the last has dots.
    guard Base64URL.decode(token, 0..<firstDot, into: &headerText),
      Base64URL.decode(token, firstDot + 1..<secondDot, into: &claimsText),
      Base64URL.decode(token, secondDot + 1..<token.count, into: &signature)
    else { throw .malformed }
    try readHeader()
    let bytes = claimsText
    do throws(JSONProblem) {
      try JSONReading.members(of: bytes.span, into: &claims)
    } catch {
      throw .malformed
    }
    if signature.isEmpty { throw .malformed }
  }

  private func readHeader() throws(Failure) {
    let bytes = headerText
    do throws(JSONProblem) {
      try JSONReading.members(of: bytes.span, into: &header)
    } catch {
      throw .malformed
    }
    // What has to be understood is understood by nobody here (RFC 7515 §4.1.11).
    if header.value(of: Self.crit, in: bytes.span) != nil { throw .malformed }
    guard let name = header.value(of: Self.alg, in: bytes.span) else { throw .malformed }
    guard let known = JWTAlgorithm(name, in: bytes.span) else { throw .algorithm }
    algorithm = known
    keyIdentifier = nil
    guard let identifier = header.value(of: Self.kid, in: bytes.span) else { return }
    guard identifier.kind == .string else { throw .malformed }
    keyIdentifier = identifier.string(in: bytes.span)
  }

  // MARK: Claims

  func claim(_ name: [UInt8]) -> JSONSlice? {
    let text = claimsText
    return claims.value(of: name, in: text.span)
  }

  /// A claim that is a string.
  func text(of name: [UInt8]) -> [UInt8]? {
    guard let value = claim(name), value.kind == .string else { return nil }
    let text = claimsText
    return value.string(in: text.span)
  }

  /// A member of the header that is a string.
  func headerText(of name: [UInt8]) -> [UInt8]? {
    let text = headerText
    guard let value = header.value(of: name, in: text.span), value.kind == .string else { return nil }
    return value.string(in: text.span)
  }

  /// A claim as a field's value: texts, numbers, true and false, and lists of texts; nil for others, and where it
  /// cannot stand in a field.
  func fieldValue(of name: [UInt8]) -> [UInt8]? {
    guard let value = claim(name) else { return nil }
    let bytes = claimsText
    var text: [UInt8]
    switch value.kind {
    case .string, .number, .true, .false: text = value.string(in: bytes.span)
    case .array:
      guard let elements = try? JSONReading.elements(of: bytes.span, in: value) else { return nil }
      text = []
      for element in elements {
        guard element.kind == .string else { return nil }
        if !text.isEmpty { text += [UInt8(ascii: ","), 0x20] }
        text += element.string(in: bytes.span)
      }
    case .object, .null: return nil
    }
    guard text.count <= FieldLines.valueBytesMax, text.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      return nil
    }
    return text
  }
}

/// What claims have to say, beside who has made them (RFC 7519 §4.1).
struct ClaimRules: Sendable {
  var leeway = 0.0
  /// In seconds; nil: none.
  var maximumExpiration: Double?
  var required: [[UInt8]] = []

  enum Failure: Error {
    case expired, notYet, missing, malformed, tooLong, audience
  }

  static let exp = Array("exp".utf8)
  static let nbf = Array("nbf".utf8)
  private static let aud = Array("aud".utf8)

  /// - now: In seconds since 1970.
  /// - Returns: from when to when they hold.
  func check(_ token: JWTToken, now: Double) throws(Failure) -> ClosedRange<Double> {
    for name in required {
      guard let value = token.claim(name), value.kind != .null else { throw .missing }
    }
    let claims = token.claimsText
    var until = Double.infinity
    var from = -Double.infinity
    if let exp = token.claim(Self.exp) {
      guard let seconds = exp.number(in: claims.span) else { throw .malformed }
      until = seconds + leeway
      // RFC 7519 §4.1.4: on or after it, no more.
      if now >= until { throw .expired }
      if let maximumExpiration, seconds - now > maximumExpiration { throw .tooLong }
    } else if maximumExpiration != nil {
      throw .missing
    }
    if let nbf = token.claim(Self.nbf) {
      guard let seconds = nbf.number(in: claims.span) else { throw .malformed }
      from = seconds - leeway
      if now < from { throw .notYet }
    }
    return from...max(from, until)
  }

  /// Whether one of these is among whom it is meant for.
  static func checkAudience(_ token: JWTToken, _ audiences: [[UInt8]]) throws(Failure) {
    if audiences.isEmpty { return }
    guard let value = token.claim(aud) else { throw .audience }
    let bytes = token.claimsText
    if audiences.contains(where: { value.equals($0, in: bytes.span) }) { return }
    guard value.kind == .array, let elements = try? JSONReading.elements(of: bytes.span, in: value) else {
      throw .audience
    }
    for element in elements {
      for audience in audiences where element.equals(audience, in: bytes.span) { return }
    }
    throw .audience
  }
}
