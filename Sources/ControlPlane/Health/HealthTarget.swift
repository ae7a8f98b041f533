import Resources
import Runtime

/// One endpoint of one service that is checked. Its deadline is the time of the next check.
final class HealthTarget: Watcher {
  let service: String
  let address: SocketAddress
  /// As in the configuration: `orders.internal:8080`.
  var name: String
  var check: HealthCheck
  var transport: HealthTransport
  /// Grows with every change of the settings: a check that was begun by others says nothing.
  var generation = 0
  var state = HealthState()
  /// Suspends the check that is under way.
  var waiter: ProbeWaiter?
  /// Whether it waits for others to finish before its check can begin.
  var isQueued = false
  var isRemoved = false
  /// Weak: a deadline may pass when nobody keeps the checker any more.
  private weak var checker: HealthChecker?

  init(
    service: String, endpoint: ResolvedEndpointName, check: HealthCheck, transport: HealthTransport,
    checker: HealthChecker, worker: Worker
  ) {
    self.service = service
    address = endpoint.address
    name = endpoint.name
    self.check = check
    self.transport = transport
    self.checker = checker
    super.init(on: worker)
  }

  override func deadlinePassed() { checker?.isDue(self) }
}

/// What a check needs to know of an endpoint.
struct ResolvedEndpointName: Sendable {
  var name: String
  var address: SocketAddress
}
