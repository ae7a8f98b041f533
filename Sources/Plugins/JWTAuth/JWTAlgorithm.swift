import TLS

/// How a token is signed (RFC 7518 §3.1, RFC 8037 §3.1). `none` is no algorithm here.
enum JWTAlgorithm: UInt8, CaseIterable, Sendable {
  case hs256, hs384, hs512
  case rs256, rs384, rs512
  case ps256, ps384, ps512
  case es256, es384, es512
  case edDSA

  var name: String {
    switch self {
    case .hs256: "HS256"
    case .hs384: "HS384"
    case .hs512: "HS512"
    case .rs256: "RS256"
    case .rs384: "RS384"
    case .rs512: "RS512"
    case .ps256: "PS256"
    case .ps384: "PS384"
    case .ps512: "PS512"
    case .es256: "ES256"
    case .es384: "ES384"
    case .es512: "ES512"
    case .edDSA: "EdDSA"
    }
  }

  static let names = allCases.map(\.name)
  static let ofKeys = allCases.filter { !$0.isHMAC }.map(\.name)
  private static let byName = allCases.map { (name: Array($0.name.utf8), algorithm: $0) }

  init?(_ name: String) {
    guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  /// Case-sensitive (RFC 7515 §4.1.1).
  init?(_ name: JSONSlice, in text: Span<UInt8>) {
    for one in Self.byName where name.equals(one.name, in: text) {
      self = one.algorithm
      return
    }
    return nil
  }

  var isHMAC: Bool { rawValue <= Self.hs512.rawValue }
  var usesPSS: Bool { (Self.ps256.rawValue...Self.ps512.rawValue).contains(rawValue) }

  var digest: DigestAlgorithm {
    switch self {
    case .hs256, .rs256, .ps256, .es256: .sha256
    case .hs384, .rs384, .ps384, .es384: .sha384
    // Ed25519 has its own, and it is this.
    case .hs512, .rs512, .ps512, .es512, .edDSA: .sha512
    }
  }

  /// The keys that it goes with: a token cannot choose to have a key used as something that it is not.
  func goesWith(_ key: PublicKey) -> Bool {
    switch self {
    case .hs256, .hs384, .hs512: false
    case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: key.kind == .rsa
    case .es256: key.kind == .p256
    case .es384: key.kind == .p384
    case .es512: key.kind == .p521
    case .edDSA: key.kind == .ed25519
    }
  }
}
