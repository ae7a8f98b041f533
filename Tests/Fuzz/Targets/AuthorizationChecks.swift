import HTTPCodec

@testable import Plugins

/// The value of a field `Authorization`, as plugins that know its scheme read it; and of `Digest`.
///
/// - A name and a password are what a plain reading makes of it.
/// - The parameters of a signature are what a plain reading makes of them; ranges lie within the value.
/// - A digest is right where it is named once, in full.
enum AuthorizationChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    try checkLogin(input)
    try checkParameters(input)
    try checkDigest(input)
    let text = Base64Text.decode(input)
    try require(text == PlainBase64.decode(input), "as base64: \(text as Any)")
  }

  private static func hasScheme(_ scheme: String, _ input: [UInt8]) -> Bool {
    input.prefix { $0 != 32 }.map(\.asciiLowercased) == Array(scheme.utf8)
  }

  // MARK: Basic

  private static func checkLogin(_ input: [UInt8]) throws(BrokenProperty) {
    let login = BasicLogin.read(input.span)
    guard hasScheme("basic", input) else {
      return try require(login == nil, "a login in another scheme")
    }
    guard let login else { throw BrokenProperty("no login") }
    let text = PlainBase64.decode(input.dropFirst(5).drop { $0 == 32 }) ?? []
    let parts = text.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
    let isLogin = input.count <= 1_400 && parts.count == 2
    try require(login.username == (isLogin ? Array(parts[0]) : []), "another name: \(login.username)")
    try require(login.password == (isLogin ? Array(parts[1]) : []), "another password: \(login.password)")
  }

  // MARK: Signatures

  private static func checkParameters(_ input: [UInt8]) throws(BrokenProperty) {
    let reading = SignatureParameters.read(ByteRange(start: 0, count: input.count), in: input.span)
    let isKong = hasScheme("hmac", input)
    guard isKong || hasScheme("signature", input) else {
      guard case .other = reading else { throw BrokenProperty("parameters in another scheme") }
      return
    }
    let expected = plainParameters(input, isKong ? "username" : "keyid")
    switch reading {
    case .other: throw BrokenProperty("the scheme is not known")
    case .malformed: try require(expected == nil, "refused, though it has \(expected ?? [:])")
    case .parameters(let parameters):
      guard let expected else { throw BrokenProperty("accepted, though it is malformed") }
      let ranges = [parameters.username, parameters.algorithm, parameters.headers, parameters.signature]
      try requireWithin(input.count, ranges)
      let names = ["username", "algorithm", "headers", "signature"]
      for (name, range) in zip(names, ranges) {
        try require(Array(input[range.range]) == expected[name], "another \(name)")
      }
    }
  }

  /// RFC 9110 §5.6.2
  private static let tokenCharacters = Set(
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

  /// Nil where it is malformed, or something is missing.
  private static func plainParameters(_ input: [UInt8], _ user: String) -> [String: [UInt8]]? {
    var found: [String: [UInt8]] = [:]
    // Values have no quotes and no backslashes within: every second piece is one.
    let pieces = input.drop { $0 != 32 }.split(
      separator: UInt8(ascii: "\""), omittingEmptySubsequences: false)
    guard pieces.count % 2 == 1, pieces.count >= 3 else { return nil }
    for index in stride(from: 0, to: pieces.count - 1, by: 2) {
      var before = Array(pieces[index].drop { $0 == 32 || $0 == 9 })
      if index > 0 {
        guard before.first == UInt8(ascii: ",") else { return nil }
        before = Array(before.dropFirst().drop { $0 == 32 || $0 == 9 })
      }
      // The first sign is the one before the quote.
      guard before.firstIndex(of: UInt8(ascii: "=")) == before.count - 1, before.count > 1 else { return nil }
      guard before.dropLast().allSatisfy(tokenCharacters.contains) else { return nil }
      let value = Array(pieces[index + 1])
      if value.contains(UInt8(ascii: "\\")) { return nil }
      let name = String(decoding: before.dropLast().map(\.asciiLowercased), as: UTF8.self)
      let known = name == user ? "username" : ["algorithm", "headers", "signature"].first { $0 == name }
      guard let known else { continue }
      if value.isEmpty || found[known] != nil { return nil }
      found[known] = value
    }
    guard pieces.last!.allSatisfy({ $0 == 32 || $0 == 9 }), found.count == 4 else { return nil }
    return found
  }

  // MARK: Digest

  /// Of no content.
  private static let digest = PlainBase64.decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".utf8)!

  private static func checkDigest(_ input: [UInt8]) throws(BrokenProperty) {
    var named: [[UInt8]?] = []
    for member in input.split(separator: UInt8(ascii: ",")) {
      let text = member.drop { $0 == 32 || $0 == 9 }.reversed().drop { $0 == 32 || $0 == 9 }.reversed()
      guard text.prefix(8).map(\.asciiLowercased) == Array("sha-256=".utf8) else { continue }
      named.append(PlainBase64.decode(text.dropFirst(8)))
    }
    let isRight = ContentDigest.matches(input.span, digest)
    try require(isRight == (named == [digest]), "the digest is right: \(isRight)")
  }
}
