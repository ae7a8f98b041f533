import DataPlane
import Resources

/// What the admin address asks the gateway. Called from the control plane's threads, at any time,
/// several calls at once; each answer that takes longer than ``AdminServer/Limits/backendTimeout`` is given up.
public protocol AdminBackend: Sendable {
  /// One snapshot per worker, each taken on the worker's thread; none at all while a worker does not turn.
  func counters() async -> [CountersSnapshot]

  /// Whether traffic would be served now.
  func readiness() async -> ReadinessReport

  /// What runs now, which after a refused edit is not what the file says.
  func runningConfiguration() async -> Configuration

  /// What the process knows about itself.
  func status() async -> GatewayStatus
}

/// Whether a gateway would serve traffic, and why not.
public struct ReadinessReport: Sendable, Equatable {
  /// One listener of the running configuration.
  public struct Listener: Sendable, Equatable, Encodable {
    public var name: String
    /// As configured: `0.0.0.0:8080`.
    public var address: String
    /// Workers on which it is open.
    public var openWorkers: Int
    /// Why it is not open on the others.
    public var problem: String?

    public init(name: String, address: String, openWorkers: Int, problem: String? = nil) {
      self.name = name
      self.address = address
      self.openWorkers = openWorkers
      self.problem = problem
    }
  }

  /// A worker whose loop does not turn, and how long, in seconds for a person to read.
  public struct StalledWorker: Sendable, Equatable {
    public var number: Int
    public var silence: String

    public init(number: Int, silence: String) {
      self.number = number
      self.silence = silence
    }
  }

  /// Workers that run and should run.
  public var workers: Int
  public var workersExpected: Int
  /// The process has been told to stop: it finishes what is in flight and takes nothing new.
  public var isDraining: Bool
  public var listeners: [Listener]
  /// Those that were not asked, since they would not answer.
  public var stalled: [StalledWorker] = []
  /// What does not work, while traffic is served: the store, the token.
  public var problems: [String] = []

  public init(workers: Int, workersExpected: Int, isDraining: Bool, listeners: [Listener]) {
    self.workers = workers
    self.workersExpected = workersExpected
    self.isDraining = isDraining
    self.listeners = listeners
  }

  /// What keeps the gateway from being ready; empty when it is.
  public var reasons: [String] {
    var reasons: [String] = []
    if isDraining { reasons.append("the gateway is draining") }
    for worker in stalled {
      reasons.append("worker \(worker.number) has not turned its loop for \(worker.silence) s")
    }
    // What stalled workers have open is not known.
    let asked = workersExpected - stalled.count
    if workers < asked { reasons.append("\(workers) of \(workersExpected) workers run") }
    if listeners.isEmpty { reasons.append("there is no listener") }
    for listener in listeners where listener.openWorkers < asked {
      let place = "listener \(listener.name) (\(listener.address))"
      let cause = listener.problem.map { ": \($0)" } ?? ""
      reasons.append("\(place) is open on \(listener.openWorkers) of \(workersExpected) workers\(cause)")
    }
    return reasons
  }

  public var isReady: Bool { reasons.isEmpty }
}

/// A certificate that is in use, and its time.
public struct CertificateFigures: Sendable, Equatable {
  public enum Use: Sendable, Equatable {
    /// Shown to clients; its name in the configuration.
    case certificate(String)
    /// Shown to the endpoints of this service.
    case service(String)
  }
  public var use: Use
  /// Seconds since 1970-01-01 UTC.
  public var notBefore: Int64
  /// Seconds since 1970-01-01 UTC.
  public var notAfter: Int64

  public init(use: Use, notBefore: Int64, notAfter: Int64) {
    self.use = use
    self.notBefore = notBefore
    self.notAfter = notAfter
  }
}

/// How it goes with certificates, keys, authorities and ticket keys whose files change.
public struct CertificateFileFigures: Sendable, Equatable {
  /// Sets of files that were taken over since the start.
  public var renewed: UInt64 = 0
  /// Times that one could not be used.
  public var refused: UInt64 = 0
  /// Those that cannot be used now: what they held before is in use.
  public var stale = 0
  public init() {}
}

/// How it goes with the workers' event loops.
public struct LoopFigures: Sendable, Equatable {
  /// Times that a worker did not turn its loop, since the start.
  public var stalls: UInt64 = 0
  /// Workers that do not turn their loops now.
  public var stalled = 0
  /// The longest that a worker took for an answer, since the start.
  public var pauseSecondsMax: Double = 0
  public init() {}
}

/// What the process knows about itself, apart from traffic.
public struct GatewayStatus: Sendable {
  /// As `penstock version` prints it.
  public var version: String
  /// Of the running configuration; grows with every change.
  public var revision: UInt64
  /// Whether the last attempt to load a configuration succeeded.
  public var lastReloadSucceeded: Bool
  /// When that attempt was, in seconds since 1970-01-01 UTC.
  public var lastReloadSeconds: Double
  /// Attempts since the start, the first load included.
  public var reloadsSucceeded: UInt64
  public var reloadsFailed: UInt64
  /// Of the access log's writer; zero without one.
  public var accessLog: AccessLogWriter.Figures
  /// Those of the running configuration, in its order.
  public var certificates: [CertificateFigures] = []
  public var certificateFiles = CertificateFileFigures()
  public var resources = ResourceFigures()
  public var loops = LoopFigures()

  public init(
    version: String, revision: UInt64, lastReloadSucceeded: Bool, lastReloadSeconds: Double,
    reloadsSucceeded: UInt64 = 1, reloadsFailed: UInt64 = 0,
    accessLog: AccessLogWriter.Figures = AccessLogWriter.Figures()
  ) {
    self.version = version
    self.revision = revision
    self.lastReloadSucceeded = lastReloadSucceeded
    self.lastReloadSeconds = lastReloadSeconds
    self.reloadsSucceeded = reloadsSucceeded
    self.reloadsFailed = reloadsFailed
    self.accessLog = accessLog
  }
}
