/// Finds hosts that have more certificates than there are kinds of keys.
struct CertificateConflicts {
  enum Subject: Hashable {
    case host(String)
    /// `default: true`.
    case anyHost
  }

  private struct Owner {
    var name: String
    var position: Position
    /// Empty: all.
    var listeners: [String]
  }

  /// One with an ECDSA key, one with an RSA key. Which is which is in the files.
  static let certificatesMax = 2

  private var owners: [Subject: [Owner]] = [:]

  mutating func insert(_ subject: Subject, of certificate: CertificateSpec, at value: Value) {
    let owner = Owner(
      name: certificate.name, position: value.node.position, listeners: certificate.listeners)
    let others = owners[subject, default: []].filter { other in
      owner.listeners.isEmpty || other.listeners.isEmpty
        || owner.listeners.contains { other.listeners.contains($0) }
    }
    guard others.count >= Self.certificatesMax else {
      owners[subject, default: []].append(owner)
      return
    }
    let names = others.prefix(Self.certificatesMax)
      .map { "\(quoted($0.name)) at \($0.position.line):\($0.position.column)" }
      .joined(separator: " and ")
    let what =
      switch subject {
      case .host(let host): "the host \(quoted(host)) already has the certificates"
      case .anyHost: "there are already the default certificates"
      }
    value.report(what + " " + names, hint: "two at most: one with an ECDSA key, one with an RSA key")
  }
}

/// What listeners with TLS and certificates have to do with each other.
enum ListenerCertificates {
  /// Reports listeners without a certificate, and settles `unknownHost` where it is not written.
  static func check(_ entries: inout [ListenerReader.Entry], _ certificates: [CertificateSpec]) {
    let served = count(certificates)
    let defaults = count(certificates.filter(\.isDefault))
    for index in entries.indices {
      guard let value = entries[index].tls, entries[index].listener.tls != nil else { continue }
      let name = entries[index].listener.name
      if served.all == 0, served.some[name] == nil {
        value.report(
          "there is no certificate for this listener",
          hint: certificates.isEmpty
            ? "add certificates: [{name: shop, certificate: shop.pem, key: shop.key}]"
            : "add \(quoted(name)) to the listeners of one")
      }
      let hasDefault = defaults.all > 0 || defaults.some[name] != nil
      guard let written = value.member("unknownHost") else {
        entries[index].listener.tls?.unknownHost = hasDefault ? .defaultCertificate : .refuse
        continue
      }
      if entries[index].listener.tls?.unknownHost == .defaultCertificate, !hasDefault {
        written.report("no certificate is the default one", hint: "write default: true with one, or refuse")
      }
    }
  }

  /// How many certificates go to all listeners, and how many to one by its name.
  private static func count(_ certificates: [CertificateSpec]) -> (all: Int, some: [String: Int]) {
    var all = 0
    var some: [String: Int] = [:]
    for certificate in certificates {
      if certificate.listeners.isEmpty { all += 1 }
      for name in certificate.listeners { some[name, default: 0] += 1 }
    }
    return (all, some)
  }
}
