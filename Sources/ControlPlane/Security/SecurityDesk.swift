import DataPlane
import Resources
import TLS

/// What listeners, services and health checks do TLS with, and the certificates that are shown.
///
/// Changes take time in proportion to what changes, and can be taken back until they are kept.
/// Revisions grow only where workers have to make a context anew.
struct SecurityDesk {
  fileprivate struct ListenerRecord {
    var tls: ListenerTLS
    var identity: ListenerIdentity
    var security: ListenerSecurity
    /// Names of the certificates by default.
    var defaults: [String]
    var rotation: TicketRotation?
  }

  private struct ServiceRecord {
    var service: Service
    var requests: SecuredService?
    var checks: SecuredService?
  }

  /// Which workers are to be told of what, by name.
  struct Changes {
    var listeners: Set<String> = []
    var services: Set<String> = []
    /// Services whose checks do TLS otherwise.
    var checks: Set<String> = []
    var certificates: Set<String> = []
  }

  private(set) var files = MaterialShelf()
  private(set) var shelf = CertificateShelf()
  private var listeners: [String: ListenerRecord] = [:]
  /// Those with TLS only.
  private var services: [String: ServiceRecord] = [:]
  /// The system's authorities, read once.
  private var systemTrust: TLSTrust?
  private var lastRevision: UInt64 = 0
  private var undoing: [(inout SecurityDesk) -> Void] = []

  // MARK: What there is

  func security(ofListener name: String) -> ListenerSecurity? { listeners[name]?.security }

  func security(ofService name: String) -> ServiceSecurity? { services[name]?.requests?.security }

  func checkSecurity(ofService name: String) -> ServiceSecurity? { services[name]?.checks?.security }

  /// The gateway's own certificate towards a service; the one that ends first.
  func ownCertificate(ofService name: String) -> TLSCertificate? {
    guard let service = services[name]?.service else { return nil }
    return [service.tls, service.checkedTLS].compactMap { $0?.clientCertificate }
      .compactMap { files[MaterialKey($0)]?.certificate }.min { $0.notAfter < $1.notAfter }
  }

  /// Names of services with TLS.
  var securedServices: some Sequence<String> { services.keys }

  /// When the next ticket key is due.
  var nextRotation: ContinuousClock.Instant? {
    // No key path: the standard library copies its value between ranges that overlap (address sanitizer).
    listeners.values.compactMap { $0.rotation?.due }.min()
  }

  // MARK: Taking back

  /// Keeps all changes since the last call.
  mutating func keep() { undoing = [] }

  /// How many steps there are to be taken back.
  var mark: Int { undoing.count }

  /// Takes changes back, to where there were as many as `mark`.
  mutating func undo(to mark: Int = 0) {
    while undoing.count > mark {
      let step = undoing.removeLast()
      step(&self)
    }
  }

  // MARK: Files

  /// Has a resource use what it needs instead of what it needed before.
  private mutating func exchange(
    _ old: [MaterialNeed], _ new: [MaterialNeed], _ pass: inout FilePass, _ problems: inout [ResourceProblem]
  ) {
    for need in new {
      if files.items[need.key] == nil {
        do throws(MaterialProblems) {
          let item = try files.make(need, &pass)
          files.set(item, for: need.key)
        } catch {
          problems += error.problems
          continue
        }
      }
      addUser(need)
    }
    let keys = Set(new.map(\.key))
    for need in old where !keys.contains(need.key) { removeUser(need) }
  }

  private mutating func addUser(_ need: MaterialNeed) {
    guard !files.users(of: need.key).contains(need.id) else { return }
    files.addUser(need.id, of: need.key)
    undoing.append { _ = $0.files.removeUser(need.id, of: need.key) }
  }

  private mutating func removeUser(_ need: MaterialNeed) {
    guard files.users(of: need.key).contains(need.id) else { return }
    let item = files.removeUser(need.id, of: need.key)
    undoing.append { desk in
      if let item { desk.files.set(item, for: need.key) }
      desk.files.addUser(need.id, of: need.key)
    }
  }

  // MARK: Certificates

  /// Sets, replaces or removes a certificate.
  ///
  /// - Parameter inline: What was made of the text in the resource; nil where it names files.
  mutating func change(
    certificate name: String, from old: CertificateSpec?, to new: CertificateSpec?, inline: TLSCertificate?,
    _ pass: inout FilePass, _ changes: inout Changes
  ) -> [ResourceProblem] {
    var problems: [ResourceProblem] = []
    exchange(
      old.map { MaterialNeed.all(of: $0) } ?? [], new.map { MaterialNeed.all(of: $0) } ?? [], &pass, &problems
    )
    guard problems.isEmpty else { return problems }
    changes.certificates.insert(name)
    guard let new else {
      shelve(nil, name)
      return []
    }
    guard let certificate = inline ?? files[MaterialKey(new)]?.certificate else { return [] }
    shelve(
      CertificateShelf.Item(certificate: certificate, listeners: new.listeners, isDefault: new.isDefault),
      name)
    return []
  }

  private mutating func shelve(_ item: CertificateShelf.Item?, _ name: String) {
    let old = item.map { shelf.set($0) } ?? shelf.remove(name)
    undoing.append { desk in
      if let old { desk.shelf.set(old) } else { desk.shelf.remove(name) }
    }
  }

  /// What speaks against certificates beside each other; when all of a change are there.
  func problems(withCertificates names: some Sequence<String>) -> [ResourceProblem] {
    names.flatMap { name in shelf.item(named: name).map { shelf.problems(with: $0) } ?? [] }
  }

  // MARK: Listeners

  /// - Parameter defaults: names of its certificates by default.
  mutating func change(
    listener name: String, from old: Listener?, to new: Listener?, defaults: [String],
    _ pass: inout FilePass, _ changes: inout Changes
  ) -> [ResourceProblem] {
    var problems: [ResourceProblem] = []
    exchange(
      old.map { MaterialNeed.all(of: $0) } ?? [], new.map { MaterialNeed.all(of: $0) } ?? [], &pass, &problems
    )
    guard problems.isEmpty else { return problems }
    set(listener: name, new?.tls, defaults, &changes)
    return []
  }

  /// Certificates by default have come, changed or gone.
  mutating func change(defaultsOf name: String, to defaults: [String], _ changes: inout Changes) {
    guard let tls = listeners[name]?.tls else { return }
    set(listener: name, tls, defaults, &changes)
  }

  private mutating func set(
    listener name: String, _ tls: ListenerTLS?, _ defaults: [String], _ changes: inout Changes
  ) {
    let old = listeners[name]
    let new = tls.map { record($0, defaults, after: old) }
    listeners[name] = new
    undoing.append { $0.listeners[name] = old }
    if let new, let old, new.security.isSame(as: old.security) { return }
    if new == nil && old == nil { return }
    changes.listeners.insert(name)
  }

  private mutating func record(
    _ tls: ListenerTLS, _ defaults: [String], after old: ListenerRecord?
  ) -> ListenerRecord {
    let trust = tls.clientCertificates.flatMap { files[MaterialKey($0)]?.trust }
    let identity = ListenerIdentity(
      profile: tls.profile, protocols: tls.protocols, clients: tls.clientCertificates,
      trust: trust.map { ObjectIdentifier($0) }, issuesTickets: tls.tickets != .off)
    var security: ListenerSecurity
    if let old, old.identity == identity {
      security = old.security
    } else {
      security = ListenerSecurity(revision: nextRevision(), options: TLSServerOptions(tls, trust))
    }
    security.defaultCertificates = defaults.compactMap { shelf[$0] }
    var record = ListenerRecord(
      tls: tls, identity: identity, security: security, defaults: defaults, rotation: old?.rotation)
    record.setTicketKeys(files, at: .now)
    return record
  }

  /// Makes the ticket keys that are due.
  mutating func rotateTicketKeys(at now: ContinuousClock.Instant, _ changes: inout Changes) {
    for name in Array(listeners.keys) {
      guard var record = listeners[name], record.rotation?.rotate(at: now) == true else { continue }
      record.security.ticketKeys = record.rotation?.keys
      listeners[name] = record
      changes.listeners.insert(name)
    }
  }

  // MARK: Services

  mutating func change(
    service name: String, from old: Service?, to new: Service?, _ pass: inout FilePass,
    _ changes: inout Changes
  ) -> [ResourceProblem] {
    var problems: [ResourceProblem] = []
    exchange(
      old.map { MaterialNeed.all(of: $0) } ?? [], new.map { MaterialNeed.all(of: $0) } ?? [], &pass, &problems
    )
    guard problems.isEmpty else { return problems }
    return set(service: name, new, &changes)
  }

  private mutating func set(
    service name: String, _ service: Service?, _ changes: inout Changes
  ) -> [ResourceProblem] {
    let old = services[name]
    var problems: [ResourceProblem] = []
    var new: ServiceRecord?
    if let service, service.tls != nil || service.checkedTLS != nil {
      var record = ServiceRecord(service: service)
      let spoken = service.protocol.applicationProtocols
      record.requests = secured(service.tls, spoken, true, old?.requests, (service.name, "tls"), &problems)
      // A resumed session would hide that the certificate has become bad.
      let checked = service.health?.isGRPC == true ? [.http2] : spoken
      record.checks = secured(
        service.checkedTLS, checked, false, old?.checks, (service.name, "health.tls"), &problems)
      new = record
    }
    guard problems.isEmpty else { return problems }
    if new == nil && old == nil { return [] }
    services[name] = new
    undoing.append { $0.services[name] = old }
    if new?.requests?.security.revision != old?.requests?.security.revision { changes.services.insert(name) }
    if new?.checks?.security.revision != old?.checks?.security.revision { changes.checks.insert(name) }
    return []
  }

  private mutating func secured(
    _ tls: ServiceTLS?, _ protocols: [ApplicationProtocol], _ reusesSessions: Bool, _ old: SecuredService?,
    _ place: (service: String, field: String), _ problems: inout [ResourceProblem]
  ) -> SecuredService? {
    guard let tls else { return nil }
    var trust: TLSTrust?
    if tls.verify {
      do throws(CertificateError) {
        trust = try self.trust(of: tls)
      } catch {
        let id = ResourceID(.services, place.service)
        problems.append(ResourceProblem(id, field: place.field, error.description))
        return nil
      }
    }
    let own = tls.clientCertificate.flatMap { files[MaterialKey($0)]?.certificate }
    let identity = ServiceIdentity(
      protocols: protocols, reusesSessions: reusesSessions, verifies: tls.verify,
      trust: trust.map { ObjectIdentifier($0) }, certificate: own.map { ObjectIdentifier($0) })
    if let old, old.identity == identity { return old }
    var options = TLSClientOptions(trust: trust)
    options.applicationProtocols = protocols
    options.certificate = own
    options.reusesSessions = reusesSessions
    return SecuredService(
      identity: identity, security: ServiceSecurity(revision: nextRevision(), options: options))
  }

  private mutating func trust(of tls: ServiceTLS) throws(CertificateError) -> TLSTrust? {
    if let path = tls.authoritiesPath {
      return files[.trust(authorities: path, revocations: nil)]?.trust
    }
    if let known = systemTrust { return known }
    let trust = try TLSTrust.system()
    systemTrust = trust
    return trust
  }

  private mutating func nextRevision() -> UInt64 {
    lastRevision += 1
    return lastRevision
  }
}

// MARK: - A check

extension SecurityDesk {
  /// Everything that is wrong with the TLS of resources, put in place together.
  mutating func check(
    _ resources: [Resource], _ inline: [String: TLSCertificate], _ pass: inout FilePass
  ) -> [ResourceProblem] {
    var problems: [ResourceProblem] = []
    var changes = Changes()
    for resource in resources {
      guard case .certificate(let spec) = resource else { continue }
      problems += change(
        certificate: spec.name, from: nil, to: spec, inline: inline[spec.name], &pass, &changes)
    }
    problems += self.problems(withCertificates: changes.certificates.sorted())
    for resource in resources {
      switch resource {
      case .listener(let listener):
        problems += change(listener: listener.name, from: nil, to: listener, defaults: [], &pass, &changes)
      case .service(let service):
        problems += change(service: service.name, from: nil, to: service, &pass, &changes)
      case .certificate, .route, .consumer, .plugin: break
      }
    }
    return problems
  }
}

// MARK: - Files that change

extension SecurityDesk {
  /// What came of looking at files once more.
  struct Refreshed {
    var changes = Changes()
    /// What was made anew.
    var renewed: [MaterialKey] = []
    /// Files that cannot be used; what they held before is in use.
    var problems: [ResourceProblem] = []
  }

  /// Takes over files that have changed while the resources have not. Cannot be taken back.
  ///
  /// - Parameter readsAll: Reads files also where `stat` says that they are as before.
  mutating func refresh(readsAll: Bool) -> Refreshed {
    var result = Refreshed()
    var pass = FilePass()
    var affected: Set<ResourceID> = []
    for key in files.items.keys {
      guard let user = files.users(of: key).min(), let old = files.items[key],
        let new = files.refresh(MaterialNeed(key: key, id: user, field: key.field), &pass, readsAll: readsAll)
      else { continue }
      if let problem = new.problem { result.problems.append(problem) }
      files.set(new, for: key)
      guard !new.value.isSame(as: old.value) else { continue }
      if let problem = reshelve(key, new, instead: old, &result.changes) {
        result.problems.append(problem)
        continue
      }
      result.renewed.append(key)
      affected.formUnion(files.users(of: key))
    }
    for id in affected.sorted() { update(id, &result) }
    for name in listeners.keys {
      guard let record = listeners[name],
        record.defaults.contains(where: { result.changes.certificates.contains($0) })
      else { continue }
      set(listener: name, record.tls, record.defaults, &result.changes)
    }
    return result
  }

  /// Puts a renewed certificate in the place of the one before, unless others speak against it.
  private mutating func reshelve(
    _ key: MaterialKey, _ new: MaterialItem, instead old: MaterialItem, _ changes: inout Changes
  ) -> ResourceProblem? {
    guard case .certificate(let name, _, _, _, _) = key, let certificate = new.value.certificate,
      var item = shelf.item(named: name)
    else { return nil }
    item.certificate = certificate
    if let problem = shelf.problems(with: item).first {
      var kept = old
      kept.signatures = new.signatures
      kept.problem = problem
      files.set(kept, for: key)
      return problem
    }
    shelve(item, name)
    changes.certificates.insert(name)
    return nil
  }

  private mutating func update(_ id: ResourceID, _ result: inout Refreshed) {
    switch id.kind {
    case .listeners:
      if let record = listeners[id.name] {
        set(listener: id.name, record.tls, record.defaults, &result.changes)
      }
    case .services:
      if let record = services[id.name] {
        result.problems += set(service: id.name, record.service, &result.changes)
      }
    case .certificates, .routes, .consumers, .plugins: break
    }
  }
}

extension SecurityDesk.ListenerRecord {
  /// Clients' tickets stay good over a change, whatever it changes.
  fileprivate mutating func setTicketKeys(_ files: MaterialShelf, at now: ContinuousClock.Instant) {
    switch tls.tickets {
    case .off:
      rotation = nil
      security.ticketKeys = nil
    case .files(let paths):
      rotation = nil
      security.ticketKeys = files[.ticketKeys(paths)]?.ticketKeys
    case .rotating(let period):
      var rotation = rotation ?? TicketRotation(every: period, at: now)
      rotation.period = period
      _ = rotation.rotate(at: now)
      self.rotation = rotation
      security.ticketKeys = rotation.keys
    }
  }
}
