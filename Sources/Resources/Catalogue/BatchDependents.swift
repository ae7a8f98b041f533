/// What is checked of resources that a batch does not put, because it changes what they depend on; and of
/// those that it puts, where that depends on all listeners or certificates together.
extension BatchApplication {
  mutating func checkDependents() {
    checkUsersOfServices()
    checkUsersOfListeners()
    checkSecurity()
    checkListeners()
  }

  /// Whether others' use of something that is replaced has to be looked at.
  private func isTakenFromFiles<Value>(_ change: AppliedBatch.Change<Value>) -> Bool {
    guard let before = change.before, let after = change.after else { return false }
    return before.owner != .store && after.owner == .store
  }

  private mutating func checkUsersOfServices() {
    for change in applied.services {
      guard let before = change.before, let after = change.after else { continue }
      let isNoLongerHTTP2 = before.value.protocol != .http1 && after.value.protocol == .http1
      guard isNoLongerHTTP2 || isTakenFromFiles(change) else { continue }
      let users = catalogue.links.services
      checkRoutes(users.users(of: after.number, .routes))
      checkPlugins(of: users.users(of: after.number, .services), except: applied.services)
      checkPlugins(of: users.users(of: after.number, .consumers), except: applied.consumers)
      checkPlugins(of: users.users(of: after.number, .plugins), except: applied.plugins)
    }
  }

  private mutating func checkUsersOfListeners() {
    for change in applied.listeners {
      guard let before = change.before, let after = change.after else { continue }
      let hasLostTLS = before.value.tls != nil && after.value.tls == nil
      if isTakenFromFiles(change) { checkRoutes(catalogue.links.routes(ofListener: after.number)) }
      guard hasLostTLS || isTakenFromFiles(change) else { continue }
      let changed = Set(applied.certificates.compactMap(\.after?.number))
      for number in catalogue.links.certificates(ofListener: after.number).numbers.sorted()
      where !changed.contains(number) {
        if let entry = catalogue.certificateTable[number] { checkReferences(of: entry) }
      }
    }
  }

  /// Those that the batch puts have been checked.
  private mutating func checkRoutes(_ users: Users) {
    let changed = Set(applied.routes.compactMap(\.after?.number))
    for number in users.numbers.sorted() where !changed.contains(number) {
      if let entry = catalogue.routeTable[number] { checkReferences(of: entry) }
    }
  }

  // MARK: Redirects and HSTS

  private mutating func checkSecurity() {
    let areOtherListeners =
      !doomed[.listeners].isEmpty
      || applied.listeners.contains { change in
        change.before == nil || (change.before?.value.tls == nil) != (change.after?.value.tls == nil)
      }
    if areOtherListeners {
      for number in catalogue.links.routesWithSecurity.sorted() {
        if let entry = catalogue.routeTable[Int(number)] { checkSecurity(of: entry) }
      }
    } else {
      for change in applied.routes {
        if let entry = change.after, entry.value.dependsOnSecurity { checkSecurity(of: entry) }
      }
    }
  }

  private mutating func checkSecurity(of entry: CatalogueEntry<Route>) {
    let route = entry.value
    let id = ResourceID(.routes, route.name)
    // Listeners that are unknown have been reported; what they would be is not known.
    guard let (hasPlain, hasTLS) = security(of: route) else { return }
    if case .on? = route.redirect, !hasPlain {
      report(
        id, "redirect", "all listeners of this route have tls",
        hint: "only requests that come without are redirected")
    }
    if case .on? = route.hsts, !hasTLS {
      report(
        id, "hsts", "no listener of this route has tls",
        hint: "browsers ignore the field on plain connections")
    }
    if case .on? = route.redirect, route.backends.isEmpty, !route.answersAlways, hasTLS,
      let name = firstSecured(of: route)
    {
      report(
        id, "", "a route needs a service, or backends",
        hint: "requests of listener \(quoted(name)) come with TLS, and are not redirected")
    }
  }

  /// Whether a route has listeners of either sort; nil where it has none.
  private func security(of route: Route) -> (hasPlain: Bool, hasTLS: Bool)? {
    guard route.listeners.isEmpty else {
      let listeners = route.listeners.map { catalogue.listenerTable[$0] }
      guard listeners.allSatisfy({ $0 != nil }) else { return nil }
      return (
        listeners.contains { $0?.value.tls == nil }, listeners.contains { $0?.value.tls != nil }
      )
    }
    let removed = doomed[.listeners]
    let secured =
      catalogue.links.securedListeners
      - removed.count { catalogue.listenerTable[Int($0)]?.value.tls != nil }
    let all = catalogue.listenerTable.count - removed.count
    return all == 0 ? nil : (secured < all, secured > 0)
  }

  private func firstSecured(of route: Route) -> String? {
    guard route.listeners.isEmpty else {
      return route.listeners.first { catalogue.listenerTable[$0]?.value.tls != nil }
    }
    return catalogue.listenerTable.all
      .first { $0.value.tls != nil && !doomed.contains($0.number, .listeners) }?.value.name
  }

  // MARK: Certificates of listeners

  private mutating func checkListeners() {
    let count = catalogue.listenerTable.count - doomed[.listeners].count
    if count > Catalogue.listenersMax, let last = applied.listeners.last?.after {
      report(
        ResourceID(.listeners, last.value.name), "", "\(count) listeners are too many",
        hint: "at most \(Catalogue.listenersMax)")
    }
    guard catalogue.listenersNeedCertificates else { return }
    // New certificates take none away.
    if applied.certificates.contains(where: { $0.before != nil }) {
      for entry in catalogue.listenerTable.all where !doomed.contains(entry.number, .listeners) {
        checkCertificates(of: entry)
      }
    } else {
      for change in applied.listeners {
        if let entry = change.after { checkCertificates(of: entry) }
      }
    }
  }

  private mutating func checkCertificates(of entry: CatalogueEntry<Listener>) {
    guard let tls = entry.value.tls else { return }
    let id = ResourceID(.listeners, entry.value.name)
    if catalogue.links.certificatesForAll == 0,
      catalogue.links.certificates(ofListener: entry.number).count == 0
    {
      report(
        id, "tls", "there is no certificate for this listener",
        hint: catalogue.certificateTable.count == 0
          ? "add certificates: [{name: shop, certificate: shop.pem, key: shop.key}]"
          : "add \(quoted(entry.value.name)) to the listeners of one")
    }
    if tls.unknownHost == .defaultCertificate,
      catalogue.defaultCertificates(of: entry.value.name).isEmpty
    {
      report(
        id, "tls.unknownHost", "no certificate is the default one",
        hint: "write default: true with one, or refuse")
    }
  }

  // MARK: What is removed

  mutating func checkUsersOfDoomed() {
    for number in doomed[.services].sorted() {
      guard let entry = catalogue.serviceTable[Int(number)] else { continue }
      let links = catalogue.links.services
      reportUse(
        of: ResourceID(.services, entry.value.name),
        users(links.users(of: entry.number, .services), except: applied.services)
          + users(links.users(of: entry.number, .routes), except: applied.routes)
          + users(links.users(of: entry.number, .consumers), except: applied.consumers)
          + users(links.users(of: entry.number, .plugins), except: applied.plugins))
    }
    for number in doomed[.listeners].sorted() {
      guard let entry = catalogue.listenerTable[Int(number)] else { continue }
      reportUse(
        of: ResourceID(.listeners, entry.value.name),
        users(catalogue.links.certificates(ofListener: entry.number), except: applied.certificates)
          + users(catalogue.links.routes(ofListener: entry.number), except: applied.routes))
    }
  }

  /// Those that stay and that the batch does not put: what it puts has been reported at what it refers to.
  private func users<Value: CatalogueValue>(
    _ users: Users, except changes: [AppliedBatch.Change<Value>]
  ) -> [ResourceID] {
    let changed = Set(changes.compactMap(\.after?.number))
    let table = Value.table(of: catalogue)
    return users.numbers.filter { !changed.contains($0) && !doomed.contains($0, Value.kind) }
      .compactMap { table[$0].map { ResourceID(Value.kind, $0.value.name) } }
  }

  private mutating func reportUse(of id: ResourceID, _ users: [ResourceID]) {
    guard let first = users.min() else { return }
    let more = users.count > 1 ? " and \(users.count - 1) more" : ""
    report(
      id, "", "it is used by \(first)\(more)", hint: "change or remove these before, or in the same change")
  }
}
