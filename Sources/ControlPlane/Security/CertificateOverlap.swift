import Resources
import TLS

/// Finds certificates that stand in each other's way: for the same host, or both the default, on the
/// same listener, with keys of the same kind. Which of them a client saw would be chance.
struct CertificateOverlap {
  private enum Subject: Hashable {
    case host(String)
    case anyHost
  }

  private enum Family: String {
    case ecdsa = "ECDSA"
    case ed25519 = "Ed25519"
    case rsa = "RSA"

    init(_ kind: TLSCertificate.KeyKind) {
      switch kind {
      case .ecdsaP256, .ecdsaP384, .ecdsaP521: self = .ecdsa
      case .ed25519: self = .ed25519
      case .rsa: self = .rsa
      }
    }

    var withArticle: String { self == .rsa ? "an RSA" : self == .ecdsa ? "an ECDSA" : "an Ed25519" }
  }

  /// Pairs that are told of; a configuration with more has one mistake rather than many.
  static let problemsMax = 100

  /// Positions of two certificates in the configuration.
  struct Pair {
    var first: Int
    var second: Int
    var problem: SecurityProblem
  }

  /// - Parameter certificates: by position in `specs`; nil for those that could not be read.
  static func find(_ specs: [CertificateSpec], _ certificates: [TLSCertificate?]) -> [Pair] {
    var owners: [Subject: [Int]] = [:]
    var pairs: [Pair] = []
    var told: Set<[Int]> = []
    for (index, certificate) in certificates.enumerated() {
      guard let certificate else { continue }
      var subjects = certificate.hosts.map(Subject.host)
      if specs[index].isDefault { subjects.append(.anyHost) }
      for subject in subjects {
        for other in owners[subject, default: []] {
          guard let otherKind = certificates[other]?.keyKind,
            Family(otherKind) == Family(certificate.keyKind), shareListener(specs[index], specs[other]),
            told.insert([other, index]).inserted
          else { continue }
          guard pairs.count < problemsMax else { return pairs }
          pairs.append(
            Pair(
              first: other, second: index,
              problem: problem(subject, Family(otherKind), specs, other, index)))
        }
        owners[subject, default: []].append(index)
      }
    }
    return pairs
  }

  private static func shareListener(_ a: CertificateSpec, _ b: CertificateSpec) -> Bool {
    a.listeners.isEmpty || b.listeners.isEmpty || a.listeners.contains { b.listeners.contains($0) }
  }

  private static func problem(
    _ subject: Subject, _ family: Family, _ specs: [CertificateSpec], _ first: Int, _ second: Int
  ) -> SecurityProblem {
    let owner = "\"\(specs[first].name)\" (certificates[\(first)], \(specs[first].chainPath))"
    let other = "\(family.withArticle) key, \(owner)"
    let message =
      switch subject {
      case .host(let host):
        "the host \"\(host)\" already has a certificate with \(other): "
          + "write hosts in one of them, or give one a key of another kind"
      case .anyHost:
        "there is already a default certificate with \(other): "
          + "remove default: true from one of them, or give one a key of another kind"
      }
    return SecurityProblem(
      place: MaterialNeed.place(of: specs[second], at: second), paths: [specs[second].chainPath],
      message: message)
  }
}
