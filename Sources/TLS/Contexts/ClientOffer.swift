/// What a ClientHello offers that the choice of a certificate depends on.
struct ClientOffer {
  /// Kinds of key that the client can verify.
  private(set) var keyKinds: Set = []

  struct Set: OptionSet {
    let rawValue: UInt8

    static func kind(_ kind: TLSCertificate.KeyKind) -> Set { Set(rawValue: 1 << kind.rawValue) }
  }

  /// Numbers of extensions (RFC 8446 §4.2).
  enum Extension {
    static let serverName: UInt32 = 0
    static let supportedGroups: UInt32 = 10
    static let signatureAlgorithms: UInt32 = 13
    static let supportedVersions: UInt32 = 43
  }

  /// - Parameters: the extensions' contents, empty where they are missing, and the list of ciphers.
  init(
    versions: Span<UInt8>, signatureAlgorithms: Span<UInt8>, groups: Span<UInt8>, ciphers: Span<UInt8>
  ) {
    let signatures = Self.signatures(signatureAlgorithms)
    if Self.offersTLS13(versions) {
      keyKinds = signatures
      return
    }
    // TLS 1.2: the suite names the kind of key, and the groups say which curves the client knows, for
    // certificates as well (RFC 8422 §5.1, §5.3).
    let suites = Self.suites(ciphers)
    if suites.hasECDSA { keyKinds.formUnion(signatures.intersection(Self.curves(groups))) }
    if suites.hasRSA { keyKinds.formUnion(signatures.intersection(.kind(.rsa))) }
  }

  private static func offersTLS13(_ versions: Span<UInt8>) -> Bool {
    // A length of one byte, then numbers of two.
    var index = 1
    while index + 1 < versions.count {
      if versions[index] == 3 && versions[index + 1] == 4 { return true }
      index += 2
    }
    return false
  }

  /// RFC 8446 §4.2.3. In TLS 1.2 a curve does not belong to the hash, so that any of ECDSA's will do;
  /// ``curves(_:)`` says then which there are.
  private static func signatures(_ list: Span<UInt8>) -> Set {
    var kinds: Set = []
    var index = 2
    while index + 1 < list.count {
      switch UInt16(list[index]) << 8 | UInt16(list[index + 1]) {
      case 0x0403: kinds.insert(.kind(.ecdsaP256))
      case 0x0503: kinds.insert(.kind(.ecdsaP384))
      case 0x0603: kinds.insert(.kind(.ecdsaP521))
      case 0x0807: kinds.insert(.kind(.ed25519))
      case 0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806: kinds.insert(.kind(.rsa))
      default: break
      }
      index += 2
    }
    return kinds
  }

  private static func curves(_ groups: Span<UInt8>) -> Set {
    // Ed25519 is no group; and who sends no list knows all (RFC 8422 §4).
    var kinds: Set = [.kind(.ed25519)]
    if groups.count == 0 { kinds.formUnion([.kind(.ecdsaP256), .kind(.ecdsaP384), .kind(.ecdsaP521)]) }
    var index = 2
    while index + 1 < groups.count {
      switch UInt16(groups[index]) << 8 | UInt16(groups[index + 1]) {
      case 23: kinds.insert(.kind(.ecdsaP256))
      case 24: kinds.insert(.kind(.ecdsaP384))
      case 25: kinds.insert(.kind(.ecdsaP521))
      default: break
      }
      index += 2
    }
    return kinds
  }

  /// Of the intermediate profile's suites.
  private static func suites(_ ciphers: Span<UInt8>) -> (hasECDSA: Bool, hasRSA: Bool) {
    var hasECDSA = false
    var hasRSA = false
    var index = 0
    while index + 1 < ciphers.count {
      switch UInt16(ciphers[index]) << 8 | UInt16(ciphers[index + 1]) {
      case 0xC02B, 0xC02C, 0xCCA9: hasECDSA = true
      case 0xC02F, 0xC030, 0xCCA8: hasRSA = true
      default: break
      }
      index += 2
    }
    return (hasECDSA, hasRSA)
  }

  /// The best of the candidates that the client can verify; where it can verify none, the first, so that
  /// the handshake says what is missing.
  func choose(from candidates: [TLSCertificate]) -> TLSCertificate? {
    for certificate in candidates where keyKinds.contains(.kind(certificate.keyKind)) { return certificate }
    return candidates.first
  }

  /// The host of a server_name extension (RFC 6066 §3), in lower case; empty where there is none that
  /// could be looked up.
  static func serverName(_ content: Span<UInt8>) -> [UInt8] {
    // The list's length, the entry's kind (0: host), its length, the host.
    guard content.count >= 5, content[2] == 0 else { return [] }
    let length = Int(content[3]) << 8 | Int(content[4])
    guard 5 + length <= content.count else { return [] }
    let name = content.extracting(5..<5 + length)
    guard HostName.isName(name) else { return [] }
    var host: [UInt8] = []
    host.reserveCapacity(length)
    for index in name.indices { host.append(HostName.lowercased(name[index])) }
    return host
  }
}
