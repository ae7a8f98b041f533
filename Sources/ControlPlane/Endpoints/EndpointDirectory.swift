import DataPlane
import Logging
import Resources
import Runtime

/// The addresses of every service's endpoints: literals as they are, names resolved and kept fresh.
///
/// A name is resolved once for all services that use it, and again when its TTL has passed. When
/// that fails, for whatever reason, the last answer stays in use and the name is tried again with
/// growing pauses. A name that has never been resolved has no endpoints. That there is no such
/// name counts as a failure too: a mistake in a zone must not take a service down.
///
/// ``stop()`` must be awaited before the last reference goes: its tasks hold the directory.
public actor EndpointDirectory {
  public struct Timing: Sendable {
    /// Shorter TTLs are taken for this: a TTL of 0 must not become a query without a pause.
    public var refreshMin = Duration.seconds(1)
    /// Longer TTLs are taken for this, so that a move is noticed.
    public var refreshMax = Duration.seconds(300)
    /// For answers without a TTL, from the hosts file.
    public var refreshWithoutTimeToLive = Duration.seconds(30)
    /// After the first failure; each further one doubles the pause, up to `retryMax`.
    public var retryMin = Duration.seconds(1)
    public var retryMax = Duration.seconds(30)
    public init() {}
  }

  public typealias Resolve = @Sendable (String) async throws(ResolverError) -> Resolution

  private struct Name {
    var task: Task<Void, Never>
    /// `nil` until the first answer.
    var addresses: [SocketAddress]?
    /// Whether the first query has ended, well or not.
    var isSettled = false
    var services: Set<String> = []
  }

  private let timing: Timing
  private let logger: Logger
  private let resolve: Resolve
  private let onChange: @Sendable (String) -> Void
  private var specs: [String: [EndpointSpec]] = [:]
  private var resolved: [String: [ResolvedEndpoint]] = [:]
  private var names: [String: Name] = [:]
  /// Not to be forgotten now, though no service may use them.
  private var kept: Set<String> = []
  private var unsettledCount = 0
  private var settleWaiters: [Int: CheckedContinuation<Void, Never>] = [:]
  private var lastWaiter = 0

  /// - Parameter onChange: Called with a service's name after its endpoints have changed by
  ///   themselves, which means not by ``update(_:waitingAtMost:)``. Must not block.
  public init(
    timing: Timing = Timing(), logger: Logger, resolve: @escaping Resolve,
    onChange: @escaping @Sendable (String) -> Void
  ) {
    self.timing = timing
    self.logger = logger
    self.resolve = resolve
    self.onChange = onChange
  }

  /// The present endpoints of a service, as many as have an address. In the order of the
  /// configuration, and for each name in numerical order; an address that occurs twice is one
  /// endpoint with the sum of the weights. All are marked healthy.
  public func endpoints(of service: String) -> [ResolvedEndpoint] { resolved[service] ?? [] }

  /// Takes over services that are new, have changed or are gone; all others stay as they are.
  ///
  /// Waits until every new name has its first answer or failure, but not longer than `limit`.
  /// - Returns: the endpoints of the services in `changed`.
  public func update(
    _ changed: [Service], removed: [String] = [], waitingAtMost limit: Duration
  ) async -> [String: [ResolvedEndpoint]] {
    var left: Set<String> = []
    func leave(_ service: String) {
      guard let endpoints = specs.removeValue(forKey: service) else { return }
      resolved[service] = nil
      for name in Self.names(in: endpoints) {
        names[name]?.services.remove(service)
        left.insert(name)
      }
    }
    for service in removed { leave(service) }
    for service in changed where specs[service.name] != service.endpoints {
      leave(service.name)
      specs[service.name] = service.endpoints
      for name in Self.names(in: service.endpoints) { use(name, for: service.name) }
    }
    removeUnused(left)
    if limit > .zero, changed.contains(where: { isAwaited($0.endpoints) }) { await settle(within: limit) }
    var endpoints: [String: [ResolvedEndpoint]] = [:]
    for service in changed {
      // Another change may have come while this one waited.
      guard let specs = specs[service.name] else { continue }
      let present = resolved[service.name] ?? assemble(specs)
      resolved[service.name] = present
      endpoints[service.name] = present
    }
    return endpoints
  }

  /// Keeps the names of services, with their addresses, until ``letGoOfNames()``: a change that is taken
  /// back finds them as they were, whether they resolve at that moment or not.
  public func keepNames(of services: [String]) {
    for service in services { kept.formUnion(Self.names(in: specs[service] ?? [])) }
  }

  /// Forgets kept names that no service uses.
  public func letGoOfNames() {
    let names = kept
    kept = []
    removeUnused(names)
  }

  /// Ends all refreshing. The directory keeps what it knows.
  public func stop() {
    for name in names.values { name.task.cancel() }
    names = [:]
    unsettledCount = 0
    resumeSettleWaiters()
  }

  // MARK: Names

  private static func names(in endpoints: [EndpointSpec]) -> Set<String> {
    Set(endpoints.map(\.address.host).filter { SocketAddress(ip: $0, port: 0) == nil })
  }

  /// Whether the first answer to one of their names is still to come.
  private func isAwaited(_ endpoints: [EndpointSpec]) -> Bool {
    Self.names(in: endpoints).contains { names[$0]?.isSettled == false }
  }

  private func use(_ host: String, for service: String) {
    if names[host] == nil {
      names[host] = Name(task: Task { await self.keepFresh(host) })
      unsettledCount += 1
    }
    names[host]?.services.insert(service)
  }

  private func removeUnused(_ hosts: Set<String>) {
    for host in hosts {
      guard let name = names[host], name.services.isEmpty, !kept.contains(host) else { continue }
      name.task.cancel()
      if !name.isSettled { unsettledCount -= 1 }
      names[host] = nil
    }
  }

  private func keepFresh(_ host: String) async {
    var failures = 0
    while true {
      let pause: Duration
      do throws(ResolverError) {
        let answer = try await resolve(host)
        if Task.isCancelled { return }
        if failures > 0 { logger.info("the name resolves again", metadata: ["name": "\(host)"]) }
        failures = 0
        learn(answer.addresses, of: host)
        let life = answer.timeToLive ?? timing.refreshWithoutTimeToLive
        pause = min(max(life, timing.refreshMin), timing.refreshMax)
      } catch {
        if Task.isCancelled { return }
        if failures == 0 { logFailure(of: host, error) }
        pause = min(timing.retryMin * (1 << min(failures, 16)), timing.retryMax)
        failures += 1
      }
      settled(host)
      // Throws when the task is cancelled.
      guard (try? await Task.sleep(for: pause)) != nil else { return }
    }
  }

  private func logFailure(of host: String, _ error: ResolverError) {
    let consequence =
      names[host]?.addresses == nil ? "its endpoints are missing" : "its last addresses stay in use"
    logger.warning(
      "the name does not resolve; \(consequence)",
      metadata: ["name": "\(host)", "error": "\(error.description)"])
  }

  private func learn(_ addresses: [SocketAddress], of host: String) {
    let addresses = addresses.sorted { $0.precedes($1) }
    guard let name = names[host], name.addresses != addresses else { return }
    names[host]?.addresses = addresses
    logger.info(
      name.addresses == nil ? "the name resolves" : "the name resolves to other addresses",
      metadata: ["name": "\(host)", "addresses": "\(addresses.map(\.host).joined(separator: " "))"])
    for service in name.services.sorted() {
      // A service that is being waited for is assembled when the wait ends.
      guard let endpoints = specs[service], let previous = resolved[service] else { continue }
      let present = assemble(endpoints)
      guard present != previous else { continue }
      resolved[service] = present
      onChange(service)
    }
  }

  // MARK: Endpoints

  private func assemble(_ specs: [EndpointSpec]) -> [ResolvedEndpoint] {
    var endpoints: [ResolvedEndpoint] = []
    var places: [SocketAddress: Int] = [:]
    for spec in specs {
      let host = spec.address.host
      let literal = SocketAddress(ip: host, port: spec.address.port)
      for var address in literal.map({ [$0] }) ?? names[host]?.addresses ?? [] {
        address.port = spec.address.port
        if let place = places[address] {
          endpoints[place].weight = min(endpoints[place].weight + spec.weight, Self.weightMax)
        } else {
          places[address] = endpoints.count
          endpoints.append(
            ResolvedEndpoint(name: spec.address.description, address: address, weight: spec.weight))
        }
      }
    }
    return endpoints
  }

  /// As in the configuration.
  private static let weightMax = 1_000

  // MARK: First answers

  private func settled(_ host: String) {
    guard names[host]?.isSettled == false else { return }
    names[host]?.isSettled = true
    unsettledCount -= 1
    if unsettledCount == 0 { resumeSettleWaiters() }
  }

  private func settle(within limit: Duration) async {
    lastWaiter += 1
    let waiter = lastWaiter
    let timer = Task {
      // Cancelled when the wait has ended before.
      guard (try? await Task.sleep(for: limit)) != nil else { return }
      self.resumeSettleWaiter(waiter)
    }
    await withCheckedContinuation { settleWaiters[waiter] = $0 }
    timer.cancel()
  }

  private func resumeSettleWaiter(_ waiter: Int) {
    settleWaiters.removeValue(forKey: waiter)?.resume()
  }

  private func resumeSettleWaiters() {
    for waiter in settleWaiters.keys { resumeSettleWaiter(waiter) }
  }
}
