import DataPlane
import Resources
import TLS

/// From a staged change to the entries that workers have to change.
extension Registry {
  func delta(of staged: Staged) -> Delta {
    var delta = Delta(revision: nextDeltaRevision())
    addListeners(staged, &delta)
    addCertificates(staged, &delta)
    addServices(staged, &delta)
    for change in staged.applied.routes {
      if let entry = change.after {
        delta.routes.append(.set(routeEntry(entry)))
        if let before = change.before, before.number != entry.number {
          delta.routes.append(.remove(number: before.number))
        }
      } else if let before = change.before {
        delta.routes.append(.remove(number: before.number))
      }
    }
    addConsumers(staged, &delta)
    if !staged.applied.plugins.isEmpty {
      delta.plugins = catalogue.plugins.map(\.value.attachment)
    }
    return delta
  }

  private func routeEntry(_ entry: CatalogueEntry<Route>) -> RouteEntry {
    RouteEntry(
      number: entry.number, order: entry.order, route: entry.value,
      // References have been checked: a name that is missing would be a fault of the catalogue.
      services: entry.value.backends.map { catalogue.service(named: $0.service)?.number ?? -1 },
      listeners: numbers(ofListeners: entry.value.listeners))
  }

  private func numbers(ofListeners names: [String]) -> [Int] {
    names.compactMap { catalogue.listener(named: $0)?.number }
  }

  private func addConsumers(_ staged: Staged, _ delta: inout Delta) {
    for change in staged.applied.consumers {
      if let entry = change.after {
        delta.consumers.append(.set(number: entry.number, entry.value))
      } else if let before = change.before {
        delta.consumers.append(.remove(number: before.number))
      }
    }
  }

  private func addListeners(_ staged: Staged, _ delta: inout Delta) {
    var told: Set<String> = []
    for change in staged.applied.listeners {
      told.insert(change.name)
      guard let entry = change.after else {
        if let before = change.before { delta.listeners.append(.remove(number: before.number)) }
        continue
      }
      delta.listeners.append(
        .set(
          number: entry.number, entry.value, security: desk.security(ofListener: change.name)))
    }
    for name in staged.security.listeners.sorted() where !told.contains(name) {
      addSecurity(ofListener: name, &delta)
    }
  }

  private func addSecurity(ofListener name: String, _ delta: inout Delta) {
    guard let entry = catalogue.listener(named: name), let security = desk.security(ofListener: name)
    else { return }
    delta.listeners.append(.setSecurity(number: entry.number, security))
  }

  private func addCertificates(_ staged: Staged, _ delta: inout Delta) {
    for name in staged.security.certificates.sorted() {
      if let item = desk.shelf.item(named: name) {
        delta.certificates.append(
          .set(item.certificate, listeners: numbers(ofListeners: item.listeners)))
      } else {
        delta.certificates.append(.remove(name: name))
      }
    }
  }

  private func addServices(_ staged: Staged, _ delta: inout Delta) {
    var told: Set<String> = []
    for change in staged.applied.services {
      told.insert(change.name)
      guard let entry = change.after else {
        if let before = change.before { delta.services.append(.remove(number: before.number)) }
        continue
      }
      delta.services.append(
        .set(
          number: entry.number, entry.value, endpoints: endpoints[change.name] ?? [],
          security: desk.security(ofService: change.name)))
    }
    for name in staged.security.services.sorted() where !told.contains(name) {
      guard let entry = catalogue.service(named: name), let security = desk.security(ofService: name)
      else { continue }
      delta.services.append(.setSecurity(number: entry.number, security))
    }
  }

  /// Tells workers of all listeners once more: those that could not be opened are tried again.
  func repeatListeners() {
    var delta = Delta(revision: nextDeltaRevision())
    delta.listeners = catalogue.listeners.map { entry in
      .set(number: entry.number, entry.value, security: desk.security(ofListener: entry.value.name))
    }
    send(delta)
  }

  /// What workers are told of TLS that changes while the resources do not.
  func delta(of changes: SecurityDesk.Changes) -> Delta {
    var delta = Delta(revision: nextDeltaRevision())
    for name in changes.listeners.sorted() { addSecurity(ofListener: name, &delta) }
    for name in changes.certificates.sorted() {
      guard let item = desk.shelf.item(named: name) else { continue }
      delta.certificates.append(.set(item.certificate, listeners: numbers(ofListeners: item.listeners)))
    }
    for name in changes.services.sorted() {
      guard let entry = catalogue.service(named: name), let security = desk.security(ofService: name)
      else { continue }
      delta.services.append(.setSecurity(number: entry.number, security))
    }
    return delta
  }
}

extension Delta {
  /// Adds what comes after; both together are applied as one.
  mutating func append(_ later: Delta) {
    revision = later.revision
    http = later.http ?? http
    for change in later.listeners { append(change) }
    certificates += later.certificates
    services += later.services
    routes += later.routes
    consumers += later.consumers
    plugins = later.plugins ?? plugins
    endpoints += later.endpoints
    health += later.health
  }

  /// A worker would make two contexts of a listener that is set and then gets other certificates.
  private mutating func append(_ change: ListenerChange) {
    guard case .setSecurity(let number, let security) = change else {
      listeners.append(change)
      return
    }
    let place = listeners.lastIndex { known in
      switch known {
      case .set(number, _, _), .setSecurity(number, _), .remove(number): true
      default: false
      }
    }
    if let place, case .set(_, let listener, _) = listeners[place] {
      listeners[place] = .set(number: number, listener, security: security)
    } else {
      listeners.append(change)
    }
  }
}
