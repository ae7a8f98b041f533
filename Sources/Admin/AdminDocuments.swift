import DataPlane
import Foundation

/// What `/readyz` answers.
struct ReadinessDocument: Encodable {
  var ready: Bool
  /// What keeps it from being ready.
  var reasons: [String]
  /// What does not work, though it is ready.
  var problems: [String]
  var draining: Bool
  var workers: Int
  var workersExpected: Int
  var listeners: [ReadinessReport.Listener]

  init(_ report: ReadinessReport) {
    ready = report.isReady
    reasons = report.reasons
    problems = report.problems
    draining = report.isDraining
    workers = report.workers
    workersExpected = report.workersExpected
    listeners = report.listeners
  }
}

/// What `/endpoints` answers: figures of all workers together.
struct EndpointsDocument: Encodable {
  struct Service: Encodable {
    var name: String
    var endpoints: [Endpoint]
  }

  struct Endpoint: Encodable {
    var name: String
    var address: String
    var weight: Int
    var healthy: Bool
    /// Whether any worker has ejected it now.
    var ejected: Bool
    /// When the last of these ejections ends (RFC 3339); absent where there is none.
    var ejectedUntil: String?
    var ejectingWorkers: Int
    var workers: Int
    var inFlight: Int
    var requests: UInt64
    var failures: UInt64
    var ejections: UInt64

    init(_ figures: EndpointFigures) {
      name = figures.name
      address = figures.address
      weight = figures.weight
      healthy = figures.isHealthy
      ejected = figures.ejectingWorkers > 0
      ejectedUntil = ejected ? Self.text(figures.ejectedUntil) : nil
      ejectingWorkers = figures.ejectingWorkers
      workers = figures.workers
      inFlight = figures.inFlight
      requests = figures.requests
      failures = figures.failures
      ejections = figures.ejections
    }

    private static func text(_ nanoseconds: Int64) -> String {
      Date(timeIntervalSince1970: (Double(nanoseconds) / 1e9).rounded(.up)).formatted(.iso8601)
    }
  }

  var services: [Service]

  init(_ figures: [ServiceFigures]) {
    services = figures.map { Service(name: $0.name, endpoints: $0.endpoints.map(Endpoint.init)) }
  }
}
