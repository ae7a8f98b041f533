/// What is checked of resources that a batch puts, when everything that it puts is in its table.
extension BatchApplication {
  private static let routeExample = "such as service: orders"

  // MARK: Reports

  mutating func report(_ id: ResourceID, _ field: String, _ message: String, hint: String? = nil) {
    report(id, field, [.text(message)], hint: hint)
  }

  mutating func report(
    _ id: ResourceID, _ field: String, _ parts: [ResourceProblems.Finding.Part], hint: String?,
    owner: ResourceOwner? = nil, isAboutConditions: Bool = false
  ) {
    problems.report(
      ResourceProblems.Finding(
        id: id, owner: owner, field: field, parts: parts, hint: hint, isAboutConditions: isAboutConditions))
  }

  /// ` at shop.yaml:6:5`, for messages of an owner.
  func place<Value>(_ entry: CatalogueEntry<Value>, for owner: ResourceOwner) -> String {
    switch entry.owner {
    case .file(let path):
      entry.position.map { " at \(path):\($0.line):\($0.column)" } ?? " in the file \(path)"
    case .store: owner == .store ? "" : " in the store"
    case .builtIn: " in the built-in configuration"
    }
  }

  // MARK: Listeners

  mutating func linkListener(_ change: AppliedBatch.Change<Listener>) {
    guard let entry = change.after else { return }
    let address = entry.value.address
    let id = ResourceID(.listeners, entry.value.name)
    if let hash = address.listenerHash,
      let other = catalogue.links.addresses.first(
        hash, where: { isListener($0, at: address) && !doomed.contains($0, .listeners) }),
      let name = catalogue.listenerTable[other]?.value.name
    {
      report(
        id, "address",
        "the address \(address.description) is already that of listener \(quoted(name))")
    }
    if address.port > 0, let admin = catalogue.adminAddress, admin.isSameAddress(as: address) {
      report(id, "address", "the address \(address.description) is already that of admin")
    }
    catalogue.link(entry)
  }

  private func isListener(_ number: Int, at address: HostPort) -> Bool {
    catalogue.listenerTable[number]?.value.address.isSameAddress(as: address) ?? false
  }

  // MARK: Services, and plugins for all requests

  mutating func linkService(_ change: AppliedBatch.Change<Service>) {
    guard let entry = change.after else { return }
    checkPlugins(of: entry)
    catalogue.link(entry)
    catalogue.linkPlugins(entry)
  }

  mutating func linkPlugin(_ change: AppliedBatch.Change<GlobalPlugin>) {
    guard let entry = change.after else { return }
    checkPlugins(of: entry)
    catalogue.link(entry)
  }

  // MARK: Routes

  mutating func linkRoute(_ change: AppliedBatch.Change<Route>) {
    guard let entry = change.after else { return }
    checkReferences(of: entry)
    var reported: Set<Int> = []
    let catalogue = catalogue
    catalogue.link(entry) { condition in
      guard let other = conflict(of: entry, in: condition, except: reported) else { return false }
      // One report for each pair of routes: more would say the same.
      if reported.insert(other.number).inserted { report(entry, conflict: condition, with: other) }
      return true
    }
  }

  /// The first other route that has a condition on a listener of this one.
  private func conflict(
    of entry: CatalogueEntry<Route>, in condition: RouteCondition, except reported: Set<Int>
  ) -> CatalogueEntry<Route>? {
    var first: CatalogueEntry<Route>?
    catalogue.links.conditions.forEach(condition.hash) { number in
      guard number != entry.number, number < first?.number ?? .max,
        let other = catalogue.routeTable[number], other.value.sharesListener(with: entry.value),
        reported.contains(number) || other.value.has(condition)
      else { return true }
      first = other
      return true
    }
    return first
  }

  private mutating func report(
    _ entry: CatalogueEntry<Route>, conflict condition: RouteCondition, with other: CatalogueEntry<Route>
  ) {
    let name = other.value.name
    report(
      ResourceID(.routes, entry.value.name), "",
      [
        .text("route \(quoted(entry.value.name)) has the same conditions as route \(quoted(name))"),
        .place(ResourceID(.routes, name), field: "", otherwise: place(other, for: entry.owner)),
        .text(" (\(condition.match.described(host: condition.host)))"),
      ],
      hint: "no request can tell them apart; change or remove one", isAboutConditions: true)
  }

  mutating func checkReferences(of entry: CatalogueEntry<Route>) {
    let route = entry.value
    let id = ResourceID(.routes, route.name)
    for index in route.listeners.indices {
      _ = listener(route.listeners[index], of: id, "listeners[\(index)]", entry.owner)
    }
    for index in route.backends.indices {
      let name = route.backends[index].service
      guard let service = service(name, of: id, "backends[\(index)].service", entry.owner) else { continue }
      if service.protocol == .http1, route.matches.contains(where: { $0.grpc != nil }) {
        report(
          id, "backends[\(index)].service",
          "gRPC needs HTTP/2, and the service \(quoted(name)) speaks http/1.1",
          hint: "write protocol: h2 in the service")
      }
    }
    checkPlugins(of: entry)
  }

  // MARK: Certificates

  /// One with an ECDSA key, one with an RSA key. Which is which is in their files.
  private static let certificatesOfHostMax = 2

  mutating func linkCertificate(_ change: AppliedBatch.Change<CertificateSpec>) {
    guard let entry = change.after else { return }
    checkReferences(of: entry)
    let catalogue = catalogue
    catalogue.link(entry) { subject in
      let others = others(of: entry, for: subject)
      guard others.count >= Self.certificatesOfHostMax else { return false }
      report(entry, subject, others)
      return true
    }
  }

  mutating func checkReferences(of entry: CatalogueEntry<CertificateSpec>) {
    let id = ResourceID(.certificates, entry.value.name)
    for index in entry.value.listeners.indices {
      let name = entry.value.listeners[index]
      let field = "listeners[\(index)]"
      guard let listener = listener(name, of: id, field, entry.owner), listener.tls == nil else { continue }
      report(id, field, "listener \(quoted(name)) has no tls", hint: "add tls to it, or remove it here")
    }
  }

  /// Certificates that have a host, or are the default ones, on a listener of this one: as many as there
  /// are on the first listener that has too many, or fewer than that.
  private func others(
    of entry: CatalogueEntry<CertificateSpec>, for subject: CertificateSubject
  ) -> [CatalogueEntry<CertificateSpec>] {
    var others: [CatalogueEntry<CertificateSpec>] = []
    func add(_ number: Int) {
      guard number != entry.number, let other = catalogue.certificateTable[number],
        other.value.sharesListener(with: entry.value)
      else { return }
      others.append(other)
    }
    switch subject {
    case .anyHost: for number in catalogue.links.defaultCertificates { add(Int(number)) }
    case .host(let index):
      let host = entry.value.hosts[index]
      catalogue.links.hosts.forEach(host.hashValue) { number in
        add(number)
        return true
      }
      // One other is no matter, so there is nothing to look up in most cases.
      guard others.count >= Self.certificatesOfHostMax else { return [] }
      others.removeAll { !$0.value.hosts.contains(host) }
    }
    others.sort { $0.number < $1.number }
    return firstListenerWithTooMany(entry.value, others)
  }

  private func firstListenerWithTooMany(
    _ certificate: CertificateSpec, _ others: [CatalogueEntry<CertificateSpec>]
  ) -> [CatalogueEntry<CertificateSpec>] {
    let ofAll = others.filter(\.value.listeners.isEmpty)
    guard ofAll.count < Self.certificatesOfHostMax else { return ofAll }
    let named = certificate.listeners.isEmpty ? others.flatMap(\.value.listeners) : certificate.listeners
    for listener in named {
      let shown = others.filter { $0.value.isServed(by: listener) }
      if shown.count >= Self.certificatesOfHostMax { return shown }
    }
    return []
  }

  private mutating func report(
    _ entry: CatalogueEntry<CertificateSpec>, _ subject: CertificateSubject,
    _ others: [CatalogueEntry<CertificateSpec>]
  ) {
    let what: String
    let field: String
    switch subject {
    case .host(let index):
      what = "the host \(quoted(entry.value.hosts[index])) already has the certificates "
      field = "hosts[\(index)]"
    case .anyHost:
      what = "there are already the default certificates "
      field = "default"
    }
    var parts: [ResourceProblems.Finding.Part] = [.text(what)]
    for other in others.prefix(Self.certificatesOfHostMax) {
      var otherField = "default"
      if case .host(let index) = subject,
        let place = other.value.hosts.firstIndex(of: entry.value.hosts[index])
      {
        otherField = "hosts[\(place)]"
      }
      if parts.count > 1 { parts.append(.text(" and ")) }
      parts.append(.text(quoted(other.value.name)))
      parts.append(
        .place(
          ResourceID(.certificates, other.value.name), field: otherField,
          otherwise: place(other, for: entry.owner)))
    }
    report(
      ResourceID(.certificates, entry.value.name), field, parts,
      hint: "two at most: one with an ECDSA key, one with an RSA key")
  }
}

extension CertificateSpec {
  /// Whether a listener shows both.
  func sharesListener(with other: CertificateSpec) -> Bool {
    listeners.isEmpty || other.listeners.isEmpty || listeners.contains { other.listeners.contains($0) }
  }
}
