import Runtime

/// One endpoint's state, of one worker or several together.
public struct EndpointFigures: Sendable {
  /// As in the configuration.
  public var name: String
  /// IP address and port.
  public var address: String
  public var weight: Int
  /// What active checks say; of several workers, what all of them have heard.
  public var isHealthy: Bool
  /// Workers that have ejected it for now: each ejects by what its own requests see.
  public var ejectingWorkers: Int
  /// When the last of these ejections ends, in nanoseconds since 1970-01-01 UTC; 0 where there is none.
  public var ejectedUntil: Int64
  /// Workers that these figures are of.
  public var workers: Int
  public var inFlight: Int
  public var requests: UInt64
  public var failures: UInt64
  public var ejections: UInt64

  public init(
    name: String, address: String, weight: Int, isHealthy: Bool, ejectingWorkers: Int = 0,
    ejectedUntil: Int64 = 0, workers: Int = 1, inFlight: Int = 0, requests: UInt64 = 0,
    failures: UInt64 = 0, ejections: UInt64 = 0
  ) {
    self.name = name
    self.address = address
    self.weight = weight
    self.isHealthy = isHealthy
    self.ejectingWorkers = ejectingWorkers
    self.ejectedUntil = ejectedUntil
    self.workers = workers
    self.inFlight = inFlight
    self.requests = requests
    self.failures = failures
    self.ejections = ejections
  }

  func isSame(as other: EndpointFigures) -> Bool { address == other.address && name == other.name }

  mutating func add(_ other: EndpointFigures) {
    isHealthy = isHealthy && other.isHealthy
    ejectingWorkers += other.ejectingWorkers
    ejectedUntil = max(ejectedUntil, other.ejectedUntil)
    workers += other.workers
    inFlight += other.inFlight
    requests &+= other.requests
    failures &+= other.failures
    ejections &+= other.ejections
  }
}

extension Endpoint {
  /// A copy of the endpoint's state. To be called on the worker's thread.
  ///
  /// - Parameter wallClockNanoseconds: since 1970-01-01 UTC, at the time `now`.
  public func figures(now: MonotonicTime, wallClockNanoseconds: Int64) -> EndpointFigures {
    let isEjected = ejectedUntil > now
    let (until, overflow) = wallClockNanoseconds.addingReportingOverflow(
      ejectedUntil.nanoseconds(since: now))
    return EndpointFigures(
      name: name, address: String(decoding: addressText, as: UTF8.self), weight: weight,
      isHealthy: isHealthy, ejectingWorkers: isEjected ? 1 : 0,
      ejectedUntil: isEjected ? (overflow ? .max : until) : 0, inFlight: inFlight,
      requests: requestCount, failures: failureCount, ejections: ejectionCount)
  }
}
