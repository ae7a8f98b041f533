import DataPlane
import Resources

/// What the control plane tells of every change.
///
/// Called one at a time, in the order of the changes, on a thread of Swift's pool: pass it on
/// (``Runtime/Worker/post(_:)``) and return.
public protocol ControlPlaneSink: Sendable {
  /// What workers are to take over, behind all that they were told before.
  ///
  /// - Parameter whenServed: to be called once, when every worker serves it; from any thread.
  func publish(_ delta: Delta, whenServed: @escaping @Sendable () -> Void)
  /// Which of these listeners, by their numbers, could not be opened, and why: asked before a change is
  /// made that brings them. Those that are open already are not among them.
  func unavailableListeners(among listeners: [(number: Int, listener: Listener)]) -> [Int: String]
  /// Settings of the process have changed: the addresses of the admin API and the access log among
  /// them. What workers are to know of them is in the delta that follows.
  func settingsChanged(_ settings: Configuration)
}

/// Why the configuration is read again; for the log.
public enum ReloadReason: String, Sendable {
  case fileChanged = "the file changed"
  case securityFileChanged = "a file of TLS changed"
  case hangup = "SIGHUP"
  case request = "request"
}

/// How loading has gone, for metrics and readiness.
public struct ControlPlaneStatus: Sendable, Equatable {
  /// Of the last change; 0 before the first.
  public var revision: UInt64 = 0
  /// Whether the last attempt to load the files, the first one included, succeeded.
  public var lastReloadSucceeded = false
  /// Of the last attempt, in seconds since 1970-01-01 UTC.
  public var lastReloadSeconds: Int64 = 0
  /// Of the last attempt that succeeded.
  public var lastSuccessSeconds: Int64 = 0
  /// Attempts after the first, by result.
  public var reloadsSucceeded: UInt64 = 0
  public var reloadsFailed: UInt64 = 0
  /// Certificates, bundles and sets of ticket keys whose files have changed and were taken over.
  public var filesRenewed: UInt64 = 0
  /// Times that such files could not be used.
  public var filesRefused: UInt64 = 0
  /// Of these, those that cannot be used now: what they held before is in use.
  public var filesStale = 0
  /// Why the store cannot be used now; nil where it can, or there is none.
  public var storeProblem: String?
  /// Why resources of the store are not served; nil where all are.
  public var unservedProblem: String?
  /// How many those are.
  public var unservedCount = 0
  /// Why what the files say now is not what runs; nil where it is.
  public var reloadProblem: String?
  /// Transactions of the store's resources, by result.
  public var transactionsApplied: UInt64 = 0
  public var transactionsRefused: UInt64 = 0

  public init() {}
}
