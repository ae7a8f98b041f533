@testable import Plugins

/// Signed tokens in their compact form, before anything of them is verified.
///
/// - A plain reading by the rules of RFC 7515 takes the same ones, and reads the same.
/// - What was read before does not matter.
/// - Claims that hold do so at the time for which they were checked; what becomes a field cannot break a head.
enum JSONWebTokenChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let token = JWTToken()
    let isRead = read(input, into: token)
    try compare(isRead, token, input)
    let used = JWTToken()
    _ = read(before, into: used)
    try require(read(input, into: used) == isRead, "read after another token, it is refused, or is not")
    guard isRead else { return }
    try require(
      used.text == token.text && used.signedCount == token.signedCount && used.algorithm == token.algorithm
        && used.keyIdentifier == token.keyIdentifier && used.signature == token.signature
        && used.claimsText == token.claimsText && used.claims.count == token.claims.count,
      "read after another token, it is another one")
    try checkClaims(token)
  }

  private static func read(_ input: [UInt8], into token: JWTToken) -> Bool {
    do throws(JWTToken.Failure) {
      try token.read(input.span)
      return true
    } catch { return false }
  }

  /// `{"alg":"RS256","kid":"k"}`, `{"exp":4102444800,"aud":["a","b"]}`
  private static let before = Array(
    ("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6WyJhIiwiYiJdfQ.AAECAw").utf8)

  // MARK: Slowly

  private static func compare(
    _ isRead: Bool, _ token: JWTToken, _ input: [UInt8]
  ) throws(BrokenProperty) {
    let parts = input.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard input.count <= JWTToken.bytesMax, parts.count == 3, parts.allSatisfy({ !$0.isEmpty }),
      let header = PlainBase64.decodeURL(parts[0]), let claims = PlainBase64.decodeURL(parts[1]),
      let signature = PlainBase64.decodeURL(parts[2]), let headerMembers = members(header),
      let claimMembers = members(claims), let algorithm = algorithm(of: headerMembers)
    else { return try require(!isRead, "a token that is none") }
    try require(isRead, "a token is refused")
    try require(token.signature == signature, "another signature")
    try require(token.claimsText == claims, "other claims")
    try require(
      token.text == input && token.signedCount == parts[0].count + parts[1].count + 1, "another text")
    try require(token.algorithm.name == algorithm, "\(token.algorithm.name) instead of \(algorithm)")
    let identifier = headerMembers.first { $0.name == "kid" }?.value
    try require(
      token.keyIdentifier.map { .string(String(decoding: $0, as: UTF8.self)) } == identifier, "another key")
    try JSONChecks.compare(token.claims, claimMembers, claims)
  }

  private static func members(_ text: [UInt8]) -> [PlainJSON.Member]? {
    guard let members = PlainJSON.read(text, depthMax: JSONReading.depthMax)?.members,
      members.count <= JSONReading.membersMax, !PlainJSON.hasRepeatedNames(members)
    else { return nil }
    return members
  }

  private static func algorithm(of header: [PlainJSON.Member]) -> String? {
    // Bytes are compared, and not letters that look alike.
    func value(_ name: String) -> PlainJSON? {
      header.first { Array($0.name.utf8) == Array(name.utf8) }?.value
    }
    guard value("crit") == nil, case .string(let name)? = value("alg") else { return nil }
    if let identifier = value("kid") { guard case .string = identifier else { return nil } }
    return JWTAlgorithm.names.first { Array($0.utf8) == Array(name.utf8) }
  }

  // MARK: Claims

  private static func checkClaims(_ token: JWTToken) throws(BrokenProperty) {
    var rules = ClaimRules()
    for (now, maximum) in [(0.0, nil), (1_700_000_000, 3_600), (1e300, nil)] as [(Double, Double?)] {
      for leeway in [0.0, 60] {
        (rules.leeway, rules.maximumExpiration) = (leeway, maximum)
        guard let holds = try? rules.check(token, now: now) else { continue }
        try require(holds.contains(now), "at \(now), claims hold in \(holds)")
      }
    }
    for member in token.claims {
      let name = member.name.string(in: token.claimsText.span)
      guard let value = token.fieldValue(of: name) else { continue }
      try require(
        value.count <= FieldLines.valueBytesMax && value.allSatisfy { $0 >= 0x20 && $0 != 0x7F },
        "a claim breaks the field that it becomes")
    }
    let audience = Array("a".utf8)
    let isAddressed = (try? ClaimRules.checkAudience(token, [audience])) != nil
    let tree = PlainJSON.read(token.claimsText, depthMax: JSONReading.depthMax)
    let aud = tree?.members?.first { Array($0.name.utf8) == Array("aud".utf8) }?.value
    let isExpected = aud == .string("a") || aud?.elements?.contains(.string("a")) == true
    try require(isAddressed == isExpected, "addressed to a: \(isAddressed)")
  }
}
