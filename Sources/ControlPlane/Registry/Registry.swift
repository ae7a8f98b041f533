import DataPlane
import Logging
import Resources
import Synchronization
import TLS

/// All that runs: the resources of every source, what their TLS is made of, and their endpoints with
/// the health that is known of each. One change at a time is staged, kept or taken back, and told to
/// the workers as a delta.
///
/// Nothing here takes time in proportion to what a change does not touch.
actor Registry {
  /// A change that is checked and in place, and told to nobody yet.
  struct Staged {
    var revision: UInt64
    var applied: AppliedBatch
    var security: SecurityDesk.Changes
    var deskMark: Int
  }

  /// Resources to be changed, with what was prepared for them.
  struct Change {
    /// Of one owner each.
    var batches: [ResourceBatch]
    /// What was made of certificates that are in the resources themselves, by name.
    var inline: [String: TLSCertificate] = [:]
    /// Of the services in the batch; others keep theirs.
    var endpoints: [String: [ResolvedEndpoint]] = [:]
  }

  let catalogue = Catalogue()
  var desk = SecurityDesk()
  /// By the service's name, with the health that is known of each.
  private(set) var endpoints: [String: [ResolvedEndpoint]] = [:]
  var revision: UInt64 = 0
  /// Of the last delta.
  private var deltaRevision: UInt64 = 0
  private(set) var settings = Configuration()
  var status = ControlPlaneStatus()
  var expiry = ExpiryWatch()
  var feed = ChangeFeed(after: 0)
  /// Owners of what the store does not own: the files, or the program itself.
  var files: Set<ResourceOwner> = []
  /// Nil where none is configured.
  var storeLink: StoreLink?
  /// What the store has and cannot be served.
  var unserved = UnservedResources()
  /// Rows of the store that this version does not know, for people.
  var unknownRows: [String] = []
  nonisolated let sink: any ControlPlaneSink
  let logger: Logger
  /// Nil before the first delta has been taken: until then everything is put together in it.
  private var initial: Delta?
  /// The last that every worker serves. Workers write it as they report: a task of the actor for each would
  /// wake a thread.
  nonisolated private let served = Atomic<UInt64>(0)
  nonisolated var servedRevision: UInt64 { served.load(ordering: .acquiring) }

  init(sink: some ControlPlaneSink, logger: Logger) {
    self.sink = sink
    self.logger = logger
    initial = Delta(revision: 1)
  }

  // MARK: Staging

  /// Checks a change against everything and puts it in place.
  ///
  /// - Parameter problemsMax: problems that are listed at most.
  func stage(
    _ change: Change, problemsMax: Int = ResourceProblems.countMax
  ) throws(ResourceProblems) -> Staged {
    let applied = try catalogue.apply(change.batches, problemsMax: problemsMax)
    let mark = desk.mark
    var staged = Staged(
      revision: change.batches.map(\.revision).max() ?? revision, applied: applied,
      security: SecurityDesk.Changes(), deskMark: mark)
    let problems = secure(&staged, change)
    if !problems.isEmpty {
      desk.undo(to: mark)
      catalogue.undo(applied)
      throw ResourceProblems(problems)
    }
    return staged
  }

  /// Takes a staged change back; the last one first.
  func takeBack(_ staged: Staged) {
    desk.undo(to: staged.deskMark)
    catalogue.undo(staged.applied)
  }

  /// Has certificates, listeners and services use what the change says.
  private func secure(_ staged: inout Staged, _ change: Change) -> [ResourceProblem] {
    var problems: [ResourceProblem] = []
    var pass = FilePass()
    var haveDefaultsChanged = false
    for entry in staged.applied.certificates {
      let (old, new) = (entry.before?.value, entry.after?.value)
      haveDefaultsChanged = haveDefaultsChanged || old?.isDefault == true || new?.isDefault == true
      problems += desk.change(
        certificate: entry.name, from: old, to: new, inline: change.inline[entry.name], &pass,
        &staged.security)
    }
    if problems.isEmpty { problems = desk.problems(withCertificates: staged.security.certificates.sorted()) }
    for entry in staged.applied.listeners {
      problems += desk.change(
        listener: entry.name, from: entry.before?.value, to: entry.after?.value,
        defaults: defaults(of: entry.name), &pass, &staged.security)
    }
    if haveDefaultsChanged {
      let changed = Set(staged.applied.listeners.map(\.name))
      for listener in catalogue.listeners where !changed.contains(listener.value.name) {
        desk.change(
          defaultsOf: listener.value.name, to: defaults(of: listener.value.name), &staged.security)
      }
    }
    for entry in staged.applied.services {
      problems += desk.change(
        service: entry.name, from: entry.before?.value, to: entry.after?.value, &pass, &staged.security)
    }
    return problems
  }

  private func defaults(of listener: String) -> [String] {
    guard let entry = catalogue.listener(named: listener),
      catalogue.unknownHost(of: entry.value) == .defaultCertificate
    else { return [] }
    return catalogue.defaultCertificates(of: listener).map(\.value.name)
  }

  // MARK: Publishing

  /// Tells the workers of staged changes, in their order. They can no longer be taken back.
  ///
  /// - Parameter whenServed: called when every worker serves them.
  func publish(
    _ staged: Staged, _ change: Change, whenServed: @escaping @Sendable () -> Void = {}
  ) -> Set<String> {
    desk.keep()
    unserved.note(staged.applied)
    revision = max(revision, staged.revision)
    status.revision = revision
    for entry in staged.applied.services {
      guard entry.after != nil else {
        endpoints[entry.name] = nil
        continue
      }
      if let present = change.endpoints[entry.name] { setEndpoints(present, of: entry.name) }
    }
    noteExpiry(ofCertificates: staged.security.certificates, services: staged.security.services)
    send(delta(of: staged), whenServed: whenServed)
    return checkedServices(staged)
  }

  /// Services whose health checks have to be told.
  private func checkedServices(_ staged: Staged) -> Set<String> {
    Set(staged.applied.services.map(\.name)).union(staged.security.checks)
  }

  func nextDeltaRevision() -> UInt64 {
    deltaRevision += 1
    return deltaRevision
  }

  /// Passes a delta on, or adds it to the first one.
  func send(_ delta: Delta, whenServed: @escaping @Sendable () -> Void = {}) {
    guard initial == nil else {
      initial?.append(delta)
      whenServed()
      return
    }
    let revision = revision
    sink.publish(delta) { [weak self] in
      // First, so that whoever has waited for it finds it.
      self?.served.max(revision, ordering: .acquiringAndReleasing)
      whenServed()
    }
  }

  /// Everything so far, for workers that know nothing yet. What changes from now on is published.
  func takeInitial() -> Delta {
    defer { initial = nil }
    served.max(revision, ordering: .acquiringAndReleasing)
    return initial ?? Delta(revision: nextDeltaRevision())
  }

  /// Whether the first delta has been taken: the gateway serves.
  var isFollowing: Bool { initial == nil }

  // MARK: Settings

  /// Takes over other settings of the process.
  func set(_ settings: Configuration) {
    guard settings != self.settings else { return }
    let haveWorkersChanged = settings.http != self.settings.http
    self.settings = settings
    if initial == nil { sink.settingsChanged(settings) }
    guard haveWorkersChanged || initial != nil else { return }
    var delta = Delta(revision: nextDeltaRevision())
    delta.http = settings.http
    send(delta)
  }

  // MARK: Endpoints

  /// Takes over endpoints; those that stay keep the health that is known of them.
  /// - Returns: the endpoints with their health; nil where nothing has changed.
  @discardableResult
  private func setEndpoints(_ present: [ResolvedEndpoint], of service: String) -> [ResolvedEndpoint]? {
    let known = endpoints[service] ?? []
    var present = present
    if catalogue.service(named: service)?.value.health != nil {
      let unhealthy = Set(known.filter { !$0.isHealthy }.map(\.address))
      for index in present.indices where unhealthy.contains(present[index].address) {
        present[index].isHealthy = false
      }
    }
    if present == known, endpoints[service] != nil { return nil }
    endpoints[service] = present
    return present
  }

  /// Names resolved to other addresses.
  /// - Returns: whether anything has changed.
  func take(_ present: [ResolvedEndpoint], of service: String) -> Bool {
    guard let entry = catalogue.service(named: service), let changed = setEndpoints(present, of: service)
    else { return false }
    var delta = Delta(revision: nextDeltaRevision())
    delta.endpoints = [EndpointsChange(service: entry.number, endpoints: changed)]
    send(delta)
    return true
  }

  /// What an active check found out.
  func take(_ change: HealthChange) {
    guard let entry = catalogue.service(named: change.service), entry.value.health != nil,
      let place = endpoints[change.service]?.firstIndex(where: { $0.address == change.address }),
      endpoints[change.service]?[place].isHealthy != change.isHealthy
    else { return }
    endpoints[change.service]?[place].isHealthy = change.isHealthy
    var delta = Delta(revision: nextDeltaRevision())
    delta.health = [
      HealthFinding(service: entry.number, address: change.address, isHealthy: change.isHealthy)
    ]
    send(delta)
  }

  /// What is to be checked of a service, and how.
  func healthTarget(of service: String) -> HealthAssignment {
    guard let service = catalogue.service(named: service)?.value else { return HealthAssignment() }
    return HealthAssignment(
      check: service.health,
      transport: HealthTransport(
        protocol: service.protocol, tls: service.healthTLS,
        security: desk.checkSecurity(ofService: service.name)),
      endpoints: endpoints[service.name] ?? [])
  }
}

/// What is to be checked of a service; nothing where it is gone.
struct HealthAssignment: Sendable {
  var check: HealthCheck?
  var transport = HealthTransport()
  var endpoints: [ResolvedEndpoint] = []
}
