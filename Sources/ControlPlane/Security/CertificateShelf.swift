import Resources
import TLS

/// The certificates that listeners show, by name, and who has which host.
///
/// Two certificates for the same host, or two by default, with keys of the same kind on the same
/// listener are refused: which of them a client saw would be chance.
struct CertificateShelf {
  /// What a certificate is for: a host, or those that no other is for.
  private enum Subject: Hashable {
    case host(String)
    case anyHost
  }

  /// A certificate with what its resource says of it.
  struct Item {
    var certificate: TLSCertificate
    /// Names; empty: all with TLS.
    var listeners: [String]
    var isDefault: Bool
  }

  /// Who has a subject: nearly always one.
  private struct Owners {
    var first: Item
    var others: [Item] = []

    var all: [Item] { [first] + others }
  }

  private var items: [String: Item] = [:]
  private var owners: [Subject: Owners] = [:]

  var count: Int { items.count }

  /// All certificates, in no order.
  var certificates: some Sequence<TLSCertificate> { items.values.lazy.map(\.certificate) }

  subscript(name: String) -> TLSCertificate? { items[name]?.certificate }

  func item(named name: String) -> Item? { items[name] }

  /// What speaks against a certificate, beside those that are there; one of its own name does not
  /// count.
  func problems(with item: Item) -> [ResourceProblem] {
    let id = ResourceID(.certificates, item.certificate.name)
    if item.certificate.hosts.isEmpty, !item.isDefault {
      return [
        ResourceProblem(
          id, field: "certificate",
          "no host is in the certificate (subjectAltName), so no client would see it",
          hint: "write hosts, or default: true")
      ]
    }
    var told: Set<String> = []
    var problems: [ResourceProblem] = []
    for subject in Self.subjects(of: item) {
      for other in owners[subject]?.all ?? []
      where other.certificate.name != item.certificate.name && Self.collide(item, other) {
        guard told.insert(other.certificate.name).inserted else { continue }
        problems.append(Self.problem(id, subject, other.certificate))
      }
    }
    return problems
  }

  /// Adds a certificate, or replaces the one of its name.
  /// - Returns: the one before.
  @discardableResult
  mutating func set(_ item: Item) -> Item? {
    let old = remove(item.certificate.name)
    items[item.certificate.name] = item
    for subject in Self.subjects(of: item) {
      if owners[subject] == nil {
        owners[subject] = Owners(first: item)
      } else {
        owners[subject]?.others.append(item)
      }
    }
    return old
  }

  /// - Returns: the one that was there.
  @discardableResult
  mutating func remove(_ name: String) -> Item? {
    guard let item = items.removeValue(forKey: name) else { return nil }
    for subject in Self.subjects(of: item) {
      let left = (owners[subject]?.all ?? []).filter { $0.certificate.name != name }
      owners[subject] = left.first.map { Owners(first: $0, others: Array(left.dropFirst())) }
    }
    return item
  }

  private static func subjects(of item: Item) -> [Subject] {
    item.certificate.hosts.map(Subject.host) + (item.isDefault ? [.anyHost] : [])
  }

  private static func collide(_ a: Item, _ b: Item) -> Bool {
    guard KeyFamily(a.certificate.keyKind) == KeyFamily(b.certificate.keyKind) else { return false }
    return a.listeners.isEmpty || b.listeners.isEmpty || a.listeners.contains { b.listeners.contains($0) }
  }

  private static func problem(
    _ id: ResourceID, _ subject: Subject, _ other: TLSCertificate
  ) -> ResourceProblem {
    let owner = "\(KeyFamily(other.keyKind).withArticle) key, \"\(other.name)\""
    return switch subject {
    case .host(let host):
      ResourceProblem(
        id, field: "hosts", "the host \"\(host)\" already has a certificate with \(owner)",
        hint: "write hosts in one of them, or give one a key of another kind")
    case .anyHost:
      ResourceProblem(
        id, field: "default", "there is already a default certificate with \(owner)",
        hint: "remove default: true from one of them, or give one a key of another kind")
    }
  }
}

/// Kinds of keys that a client can tell apart when it says what it accepts.
private enum KeyFamily {
  case ecdsa, ed25519, rsa

  init(_ kind: TLSCertificate.KeyKind) {
    switch kind {
    case .ecdsaP256, .ecdsaP384, .ecdsaP521: self = .ecdsa
    case .ed25519: self = .ed25519
    case .rsa: self = .rsa
    }
  }

  var withArticle: String {
    switch self {
    case .ecdsa: "an ECDSA"
    case .ed25519: "an Ed25519"
    case .rsa: "an RSA"
    }
  }
}
