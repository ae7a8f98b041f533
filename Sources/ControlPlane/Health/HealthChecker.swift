import DataPlane
import Logging
import Resources
import Runtime
import TLS

/// What active checks have found out about an endpoint.
public struct HealthChange: Sendable, Equatable {
  public var service: String
  public var address: SocketAddress
  public var isHealthy: Bool
  /// `check passed`, `connection refused`, `HTTP 503`.
  public var reason: String

  public init(service: String, address: SocketAddress, isHealthy: Bool, reason: String) {
    self.service = service
    self.address = address
    self.isHealthy = isHealthy
    self.reason = reason
  }
}

/// Active health checks, made once per process, on one worker of the control plane.
///
/// An endpoint counts as healthy until its first check, which decides at once; from then on
/// `rise` and `fall` hold. Checks repeat at their interval ± 10 %, so that those of many endpoints
/// spread out.
///
/// `@unchecked Sendable`: the state belongs to the worker's thread; the methods that other threads
/// may call post to it.
public final class HealthChecker: @unchecked Sendable {
  /// Checks at the same time; more wait for their turn.
  public static let inFlightMax = 256
  /// First checks of a service's endpoints are spread over this time for each of them.
  static let firstCheckSpread = Duration.milliseconds(1)

  private let worker: Worker
  private let logger: Logger
  private let userAgent: String
  private let onChange: @Sendable (HealthChange) -> Void
  private var targets: [String: [SocketAddress: HealthTarget]] = [:]
  /// What the checks of a service do TLS with.
  private var tls: [String: HealthTLS] = [:]
  /// Made on the worker's thread, when the first service needs it.
  private lazy var tlsWorker = TLSWorker(on: worker)
  private var queue: [HealthTarget] = []
  private var queueStart = 0
  private var inFlight = 0
  private var completion: (@Sendable () -> Void)?

  /// - Parameters:
  ///   - userAgent: Such as `penstock-health/1.0.0`.
  ///   - onChange: Called on the worker's thread: for the first check of an endpoint, and when
  ///     its health changes.
  public init(
    on worker: Worker, logger: Logger, userAgent: String,
    onChange: @escaping @Sendable (HealthChange) -> Void
  ) {
    self.worker = worker
    self.logger = logger
    self.userAgent = userAgent
    self.onChange = onChange
  }

  /// Replaces what is checked of a service; from any thread.
  ///
  /// Endpoints that stay keep their state where `check` and the transport's settings are the same. With
  /// others they are checked at once, and that check decides. With `nil`, or without endpoints, nothing
  /// is checked.
  public func watch(
    service: String, check: HealthCheck?, by transport: HealthTransport = HealthTransport(),
    endpoints: [ResolvedEndpoint]
  ) {
    let wanted = endpoints.map { ResolvedEndpointName(name: $0.name, address: $0.address) }
    worker.post { _ in self.replace(service, check, transport, wanted) }
  }

  /// Ends all checks, and calls `completion` on the worker's thread when every connection of
  /// theirs is closed. From any thread, once.
  public func stop(completion: @escaping @Sendable () -> Void) {
    worker.post { _ in
      for service in Array(self.targets.keys) { self.replace(service, nil, HealthTransport(), []) }
      if self.inFlight == 0 {
        completion()
      } else {
        self.completion = completion
      }
    }
  }

  // MARK: On the worker's thread

  private func replace(
    _ service: String, _ check: HealthCheck?, _ transport: HealthTransport,
    _ endpoints: [ResolvedEndpointName]
  ) {
    var old = targets.removeValue(forKey: service) ?? [:]
    guard let check, !endpoints.isEmpty else {
      for target in old.values { remove(target) }
      tls[service] = nil
      return
    }
    if tls[service]?.revision != transport.security?.revision {
      tls[service] = transport.security.map { HealthTLS($0, on: tlsWorker) }
    }
    var new: [SocketAddress: HealthTarget] = [:]
    for endpoint in endpoints where new[endpoint.address] == nil {
      if let target = old.removeValue(forKey: endpoint.address) {
        update(target, endpoint.name, check, transport, among: endpoints.count)
        new[endpoint.address] = target
      } else {
        let target = HealthTarget(
          service: service, endpoint: endpoint, check: check, transport: transport, checker: self,
          worker: worker)
        new[endpoint.address] = target
        scheduleFirst(target, among: endpoints.count)
      }
    }
    for target in old.values { remove(target) }
    targets[service] = new
  }

  private func update(
    _ target: HealthTarget, _ name: String, _ check: HealthCheck, _ transport: HealthTransport,
    among count: Int
  ) {
    target.name = name
    let isUnchanged = target.check == check && target.transport.hasSameSettings(as: transport)
    target.transport = transport
    if isUnchanged { return }
    target.check = check
    target.generation += 1
    target.state.restart()
    if let waiter = target.waiter {
      // Ends inconclusively; the next check is made by the new settings.
      waiter.cancel()
    } else if !target.isQueued {
      scheduleFirst(target, among: count)
    }
  }

  private func remove(_ target: HealthTarget) {
    target.isRemoved = true
    target.cancelDeadline()
    target.waiter?.cancel()
  }

  private func scheduleFirst(_ target: HealthTarget, among count: Int) {
    let spread = min(
      target.check.interval.inNanoseconds, Self.firstCheckSpread.inNanoseconds * Int64(count))
    target.setDeadline(worker.now.advanced(byNanoseconds: Int64(randomShare * Double(spread))))
  }

  /// From 0 up to 1.
  private var randomShare: Double { Double(worker.random.next() >> 11) * 0x1p-53 }

  func isDue(_ target: HealthTarget) {
    if inFlight < Self.inFlightMax {
      begin(target)
    } else {
      target.isQueued = true
      queue.append(target)
    }
  }

  private func begin(_ target: HealthTarget) {
    inFlight += 1
    let waiter = ProbeWaiter(on: worker)
    target.waiter = waiter
    let probe = HealthProbe(
      check: target.check, address: target.address, name: target.name, userAgent: userAgent,
      transport: target.transport, tls: tls[target.service])
    let generation = target.generation
    let started = worker.now
    worker.spawn {
      let outcome = await probe.run(waiter)
      waiter.cancelDeadline()
      self.end(target, outcome, generation, started)
    }
  }

  private func end(
    _ target: HealthTarget, _ outcome: HealthProbe.Outcome, _ generation: Int, _ started: MonotonicTime
  ) {
    inFlight -= 1
    target.waiter = nil
    if !target.isRemoved {
      if target.generation == generation {
        judge(target, outcome)
        let interval = Double(target.check.interval.inNanoseconds) * (0.9 + 0.2 * randomShare)
        // A check that took longer than the interval is followed by the next one at once.
        target.setDeadline(max(worker.now, started.advanced(byNanoseconds: Int64(interval))))
      } else {
        scheduleFirst(target, among: 1)
      }
    }
    beginQueued()
    if inFlight == 0, let completion {
      self.completion = nil
      completion()
    }
  }

  private func beginQueued() {
    while inFlight < Self.inFlightMax, queueStart < queue.count {
      let target = queue[queueStart]
      queueStart += 1
      target.isQueued = false
      if !target.isRemoved { begin(target) }
    }
    if queueStart == queue.count {
      queue.removeAll(keepingCapacity: true)
      queueStart = 0
    }
  }

  private func judge(_ target: HealthTarget, _ outcome: HealthProbe.Outcome) {
    let reason: String
    switch outcome {
    case .success: reason = "check passed"
    case .failure(let cause): reason = cause
    case .inconclusive(let cause):
      logger.warning("a health check could not be made", metadata: metadata(target, cause))
      return
    }
    let isFirst = target.state.isHealthy == nil
    let check = target.check
    guard
      let isHealthy = target.state.record(
        success: outcome == .success, rise: check.rise, fall: check.fall)
    else { return }
    if !isHealthy {
      logger.warning("an endpoint is unhealthy", metadata: metadata(target, reason))
    } else {
      // Good news about a new endpoint is what everyone expects.
      logger.log(
        level: isFirst ? .debug : .info, "an endpoint is healthy", metadata: metadata(target, reason))
    }
    onChange(
      HealthChange(service: target.service, address: target.address, isHealthy: isHealthy, reason: reason))
  }

  private func metadata(_ target: HealthTarget, _ reason: String) -> Logger.Metadata {
    [
      "service": "\(target.service)", "endpoint": "\(target.name)",
      "address": "\(target.address.description)", "reason": "\(reason)",
    ]
  }
}
