import TLS

/// A public key of a set, and what it may be used for.
final class SetKey: Sendable {
  /// Empty: it has no name.
  let identifier: [UInt8]
  /// Nil: all that go with the key.
  let algorithm: JWTAlgorithm?
  let key: PublicKey

  init(identifier: [UInt8], algorithm: JWTAlgorithm?, key: PublicKey) {
    self.identifier = identifier
    self.algorithm = algorithm
    self.key = key
  }

  func serves(_ wanted: JWTAlgorithm) -> Bool {
    (algorithm == nil || algorithm == wanted) && wanted.goesWith(key)
  }
}

/// The keys of an issuer: a JSON Web Key Set (RFC 7517 §5). Immutable.
struct KeySet: Sendable {
  /// Issuers have a handful.
  static let keysMax = 256
  static let bytesMax = 1 << 20
  /// Keys without a name that are tried for one token.
  private static let triedMax = 4

  let keys: [SetKey]

  /// Keys that are of no use here, such as those for encryption, are passed over; one has to be left.
  static func read(_ bytes: [UInt8]) throws(FileProblem) -> KeySet {
    let text = bytes.span
    var members: [JSONMember] = []
    var keys: [SetKey] = []
    do throws(JSONProblem) {
      try JSONReading.members(of: text, into: &members)
      guard let list = members.value(of: Array("keys".utf8), in: text), list.kind == .array else {
        throw JSONProblem(message: "it has no array \"keys\"", position: 0)
      }
      let elements = try JSONReading.elements(of: text, in: list)
      guard elements.count <= keysMax else { throw JSONProblem(message: "it has too many keys", position: 0) }
      for element in elements where element.kind == .object {
        try JSONReading.members(of: text, in: element, into: &members)
        if let key = key(members, text) { keys.append(key) }
      }
    } catch {
      throw FileProblem("this is no JSON Web Key Set: \(error.message), at byte \(error.position)")
    }
    guard !keys.isEmpty else {
      throw FileProblem(
        "the JSON Web Key Set has no key that signatures can be verified with",
        hint: "RSA from 2048 bits, EC on P-256, P-384 or P-521, or Ed25519")
    }
    return KeySet(keys: keys)
  }

  /// The keys that a token may be signed with.
  func candidates(_ identifier: [UInt8]?, _ algorithm: JWTAlgorithm) -> [SetKey] {
    var found: [SetKey] = []
    for key in keys where key.serves(algorithm) {
      if let identifier, key.identifier != identifier { continue }
      found.append(key)
      if found.count == Self.triedMax { break }
    }
    return found
  }

  // MARK: Reading

  private static func key(_ members: [JSONMember], _ text: Span<UInt8>) -> SetKey? {
    func string(_ name: String) -> [UInt8]? {
      guard let value = members.value(of: Array(name.utf8), in: text), value.kind == .string else {
        return nil
      }
      return value.string(in: text)
    }
    if let use = string("use"), use != Array("sig".utf8) { return nil }
    if let operations = members.value(of: Array("key_ops".utf8), in: text) {
      let named = try? JSONReading.elements(of: text, in: operations)
      guard let named, named.contains(where: { $0.equals(Array("verify".utf8), in: text) }) else {
        return nil
      }
    }
    var algorithm: JWTAlgorithm?
    if let name = members.value(of: Array("alg".utf8), in: text) {
      guard let known = JWTAlgorithm(name, in: text) else { return nil }
      algorithm = known
    }
    guard let key = try? publicKey(string), algorithm.map({ $0.goesWith(key) }) ?? true else { return nil }
    return SetKey(identifier: string("kid") ?? [], algorithm: algorithm, key: key)
  }

  /// RFC 7518 §6.2 and §6.3, RFC 8037 §2. Private and symmetric keys have no place in what is published.
  private static func publicKey(_ string: (String) -> [UInt8]?) throws(PublicKey.Failure) -> PublicKey {
    func bytes(_ name: String) throws(PublicKey.Failure) -> [UInt8] {
      guard let text = string(name), let bytes = Base64URL.decode(text), !bytes.isEmpty else {
        throw .unreadable
      }
      return bytes
    }
    switch string("kty").map({ String(decoding: $0, as: UTF8.self) }) {
    case "RSA": return try PublicKey(rsaModulus: try bytes("n"), exponent: try bytes("e"))
    case "EC":
      let curve: PublicKey.Kind
      switch string("crv").map({ String(decoding: $0, as: UTF8.self) }) {
      case "P-256": curve = .p256
      case "P-384": curve = .p384
      case "P-521": curve = .p521
      default: throw .other
      }
      return try PublicKey(curve: curve, x: try bytes("x"), y: try bytes("y"))
    case "OKP":
      guard string("crv") == Array("Ed25519".utf8) else { throw .other }
      return try PublicKey(ed25519: try bytes("x"))
    default: throw .other
    }
  }
}
