import Resources
import TLS

/// Says which listener a request reaches, and which certificate it is shown.
struct ListenerExplainer {
  let question: ExplainQuestion
  let slots: [ListenerSlot?]

  /// The listener's number; nil where there is none.
  func find(into explanation: inout Explanation) -> Int? {
    if let name = question.listener { return find(named: name, into: &explanation) }
    let port = question.port ?? (question.scheme == .https ? 443 : 80)
    var considered: [(number: Int, slot: ListenerSlot, reason: String?)] = []
    for case (let number, let slot?) in slots.enumerated() {
      considered.append((number, slot, obstacle(slot, port: port)))
    }
    var found = considered.first { $0.reason == nil }
    var reason = "it listens on port \(port) and speaks \(question.scheme.rawValue)"
    if found == nil, question.port == nil {
      // A load balancer or a port mapping stands before it.
      let speaking = considered.filter { obstacle($0.slot, port: nil) == nil }
      if speaking.count == 1 {
        found = speaking[0]
        reason = "it is the only one that speaks \(question.scheme.rawValue); the port is another"
      }
    }
    explanation.listenersConsidered = considered.map { one in
      Explanation.ConsideredListener(
        name: one.slot.definition.name, address: one.slot.addressText,
        reason: one.number == found?.number
          ? reason : one.reason ?? "another one comes before it that listens on this port")
    }
    guard let found else { return nil }
    explanation.listener = Explanation.Listener(
      name: found.slot.definition.name, address: found.slot.addressText, reason: reason)
    return found.number
  }

  private func find(named name: String, into explanation: inout Explanation) -> Int? {
    for case (let number, let slot?) in slots.enumerated() where slot.definition.name == name {
      explanation.listener = Explanation.Listener(
        name: name, address: slot.addressText, reason: "the question names it")
      return number
    }
    return nil
  }

  /// - Parameter port: nil: any.
  private func obstacle(_ slot: ListenerSlot, port: UInt16?) -> String? {
    guard let bound = slot.bound else { return slot.problem ?? "its socket is not open" }
    if let port, bound.address.port != port { return "it listens on port \(bound.address.port)" }
    if slot.definition.tls == nil, question.scheme == .https { return "it speaks http, without TLS" }
    if slot.definition.tls != nil, question.scheme == .http { return "it speaks https" }
    return nil
  }

  // MARK: Certificates

  /// - Returns: the certificate that the handshake shows; nil where it fails.
  func certificate(
    _ slot: ListenerSlot, into explanation: inout Explanation
  ) -> TLSCertificate? {
    guard let context = slot.security?.context else { return nil }
    let name = question.host.lowercased()
    let choices = context.certificates.choices(for: name, listener: context.listener)
    if let best = choices.first {
      explanation.certificate = Explanation.Certificate(
        name: best.certificate.name, keyKind: Self.name(best.certificate.keyKind),
        match: best.match == .exact ? .exact : .wildcard, host: best.host,
        notAfter: best.certificate.notAfter, alternatives: choices.dropFirst().map(\.certificate.name))
      return best.certificate
    }
    guard let best = context.defaultCertificates.first else { return nil }
    explanation.certificate = Explanation.Certificate(
      name: best.name, keyKind: Self.name(best.keyKind), match: .byDefault, host: nil,
      notAfter: best.notAfter, alternatives: context.defaultCertificates.dropFirst().map(\.name))
    return best
  }

  private static func name(_ kind: TLSCertificate.KeyKind) -> String {
    switch kind {
    case .ecdsaP256: "ECDSA P-256"
    case .ecdsaP384: "ECDSA P-384"
    case .ecdsaP521: "ECDSA P-521"
    case .ed25519: "Ed25519"
    case .rsa: "RSA"
    }
  }
}

extension ListenerSlot {
  var addressText: String { bound?.address.description ?? definition.address.description }
}
