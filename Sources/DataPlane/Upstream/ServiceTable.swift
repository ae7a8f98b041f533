import Resources
import Runtime
import TLS

/// The services of one worker by number, and what a change makes of them.
///
/// As with routes, a change is prepared (``stage(_:)``), takes effect at once (``flip()``), and is tidied
/// up after (``settle(number:)``, ``settleRest(_:)``, ``endChange()``). What is prepared for a service is
/// taken over when it is first asked for after the flip, at the latest when it is settled, so that the
/// flip takes no time however many services change.
final class ServiceTable {
  let worker: Worker
  let counters: WorkerCounters
  private let workerCount: Int
  private let tls: TLSWorker
  private var services = NumberedSlots<UpstreamService>()
  /// Numbers by name, also of what is not settled yet and of what has just gone; what they stand for is compared.
  private var numbers = HashIndex()
  private var isFlipped = false
  /// Replaced or removed, and still to be retired.
  private var leaving: [UpstreamService] = []
  /// With idle connections that are still to be closed.
  private var unfinished: [UpstreamService] = []

  /// Services that have carried a request, or have an endpoint that is not healthy: the others hold no
  /// connection, and there is nothing to say of them.
  private(set) var active: [UpstreamService] = []
  private var nextToRelieve = 0

  init(worker: Worker, counters: WorkerCounters, workerCount: Int, tls: TLSWorker) {
    self.worker = worker
    self.counters = counters
    self.workerCount = workerCount
    self.tls = tls
  }

  /// The service of a number as requests see it now.
  @inline(__always)
  func service(_ number: Int) -> UpstreamService? {
    guard let service = services[number] else { return nil }
    return service.staged == nil ? service : changed(service, number)
  }

  private func changed(_ service: UpstreamService, _ number: Int) -> UpstreamService? {
    guard isFlipped else { return service }
    if service.staged?.isRemoved == true { return nil }
    adopt(service, number)
    return services[number]
  }

  /// The service of a name as requests see it now. Does not depend on how many there are.
  func number(named name: String) -> Int? {
    numbers.first(name.hashValue) { number in
      guard let service = services[number] else { return false }
      guard isFlipped else { return service.name == name && !service.isArriving }
      guard let staged = service.staged else { return service.name == name }
      return !staged.isRemoved && (staged.replacement ?? service).name == name
    }
  }

  var count: Int { services.count }

  /// Numbers are below this.
  var limit: Int { services.limit }

  /// Without regard for what is staged.
  func current(_ number: Int) -> UpstreamService? { services[number] }

  /// All of them, by number; takes time in proportion to their number.
  var all: [UpstreamService] { services.all }

  // MARK: Changes

  func stage(_ change: ServiceChange) {
    switch change {
    case .set(let number, let service, let endpoints, let security):
      stage(number, service, endpoints, security)
    case .setSecurity(let number, let security):
      guard let service = latest(number) else { return }
      stage(security, of: service, service.beginStaging())
    case .remove(let number):
      services[number]?.beginStaging().isRemoved = true
    }
  }

  func stage(_ change: EndpointsChange) {
    guard let service = latest(change.service) else { return }
    let staged = service.beginStaging()
    service.stage(change.endpoints, staged)
    service.prepareBalancer(staged)
  }

  func stage(_ finding: HealthFinding) {
    guard let service = latest(finding.service) else { return }
    service.beginStaging().findings.append(finding)
  }

  /// The service that a number will stand for when the change has taken effect.
  private func latest(_ number: Int) -> UpstreamService? {
    guard let service = services[number] else { return nil }
    if service.staged?.isRemoved == true { return nil }
    return service.staged?.replacement ?? service
  }

  private func stage(
    _ number: Int, _ definition: Service, _ endpoints: [ResolvedEndpoint]?, _ security: ServiceSecurity?
  ) {
    if let known = services[number], known.name == definition.name {
      let staged = known.beginStaging()
      staged.isRemoved = false
      forget(staged.replacement, number)
      staged.replacement = nil
      return stage(definition, endpoints, security, of: known, staged)
    }
    if let known = latest(number), known.name == definition.name {
      return stage(definition, endpoints, security, of: known, known.beginStaging())
    }
    let new = UpstreamService(
      definition.name, settings(for: definition), endpoints: endpoints ?? [],
      security: security.map { ServiceContext($0, on: tls) }, table: self)
    new.isArriving = true
    forget(services[number]?.staged?.replacement, number)
    numbers.insert(new.name.hashValue, number)
    guard let old = services[number] else {
      services[number] = new
      return
    }
    let staged = old.beginStaging()
    staged.isRemoved = false
    staged.replacement = new
  }

  /// Another definition of a service that is there.
  private func stage(
    _ definition: Service, _ endpoints: [ResolvedEndpoint]?, _ security: ServiceSecurity?,
    of service: UpstreamService, _ staged: StagedService
  ) {
    let settings = settings(for: definition)
    staged.settings = settings.service == service.settings.service ? nil : settings
    if let endpoints { service.stage(endpoints, staged) }
    stage(security, of: service, staged)
    service.prepareBalancer(staged)
  }

  private func stage(_ security: ServiceSecurity?, of service: UpstreamService, _ staged: StagedService) {
    staged.changesSecurity = security?.revision != service.security?.revision
    staged.security =
      staged.changesSecurity ? security.map { ServiceContext($0, on: tls) } : nil
  }

  /// Settings in their last form; most services have the same as others.
  private var recentSettings: [ServiceSettings] = []
  private static let recentSettingsMax = 8

  /// The settings of a service, shared with those that have the same.
  private func settings(for definition: Service) -> ServiceSettings {
    var common = definition
    common.name = ""
    common.endpoints = []
    if let index = recentSettings.firstIndex(where: { $0.service == common }) {
      let known = recentSettings[index]
      if index > 0 { recentSettings.swapAt(index, index - 1) }
      return known
    }
    let new = ServiceSettings(common, workerCount: workerCount)
    if recentSettings.count == Self.recentSettingsMax { recentSettings.removeLast() }
    recentSettings.append(new)
    return new
  }

  /// Requests see what was prepared, from now on.
  func flip() { isFlipped = true }

  private func adopt(_ service: UpstreamService, _ number: Int) {
    guard let replacement = service.staged?.replacement else { return service.adoptStaged() }
    services[number] = replacement
    forget(service, number)
    leaving.append(service)
    replacement.adoptStaged()
  }

  /// Tidies up after a number of the change; nothing happens where that was done.
  func settle(number: Int) {
    services[number]?.isArriving = false
    guard let service = services[number], let staged = service.staged else { return }
    if staged.isRemoved {
      forget(staged.replacement, number)
      services[number] = nil
      forget(service, number)
      leaving.append(service)
    } else {
      adopt(service, number)
      services[number]?.isArriving = false
    }
  }

  /// A service no longer has the number, nor will have it.
  private func forget(_ service: UpstreamService?, _ number: Int) {
    guard let name = service?.name, services[number]?.name != name else { return }
    numbers.remove(name.hashValue, number)
  }

  /// Retires what is gone, and closes what is left over.
  ///
  /// - Returns: false where the slice is over and there is more to do.
  func settleRest(_ slice: ChangeSlice) -> Bool {
    while let service = leaving.popLast() {
      becameInactive(service)
      service.retire()
      if slice.isOver() { return false }
    }
    while let service = unfinished.last {
      guard service.closeLeftovers(slice) else { return false }
      unfinished.removeLast()
      if slice.isOver() { return leaving.isEmpty && unfinished.isEmpty }
    }
    return true
  }

  func endChange() { isFlipped = false }

  func hasLeftovers(_ service: UpstreamService) { unfinished.append(service) }

  /// Everything idle is closed, at once.
  func retireAll() {
    for service in active { service.retire() }
    while !settleRest(ChangeSlice.endless) {}
  }

  // MARK: Those that have something to say

  func becameActive(_ service: UpstreamService) {
    guard service.activePosition < 0, !service.isRetired else { return }
    service.activePosition = Int32(active.count)
    active.append(service)
  }

  private func becameInactive(_ service: UpstreamService) {
    guard service.activePosition >= 0 else { return }
    let last = active.removeLast()
    if last !== service {
      active[Int(service.activePosition)] = last
      last.activePosition = service.activePosition
    }
    service.activePosition = -1
  }

  /// Services that are asked for an idle connection when descriptors have run out, at most, each time.
  private static let relievedMax = 1_000

  /// Closes an idle connection, of another service each time.
  /// - Returns: whether there was one among those that were asked.
  func closeOneIdle() -> Bool {
    for _ in 0..<min(active.count, Self.relievedMax) {
      nextToRelieve = nextToRelieve + 1 < active.count ? nextToRelieve + 1 : 0
      if active[nextToRelieve].closeOneIdle() { return true }
    }
    return false
  }
}
