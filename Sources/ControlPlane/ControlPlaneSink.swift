import DataPlane
import Runtime

/// What the control plane tells of every change.
///
/// Called one at a time, in the order of the changes, on a thread of Swift's pool: pass it on
/// (``Runtime/Worker/post(_:)``) and return. A snapshot holds all changes told before it.
public protocol ControlPlaneSink: Sendable {
  /// A whole configuration that is valid: one that differs from the last, or, after SIGHUP, the
  /// same once more.
  func publish(_ snapshot: Snapshot)
  /// Certificates, keys or authorities have changed, and the configuration has not: all that listeners
  /// and services do TLS with. What has not changed is the same as before, by revision and identity.
  func securityChanged(_ security: Security)
  /// All endpoints of a service, with the health that is known of each; in a stable order.
  func endpointsChanged(service: String, endpoints: [ResolvedEndpoint])
  /// Active checks have changed their mind about one endpoint.
  func healthChanged(service: String, address: SocketAddress, isHealthy: Bool)
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
  /// Of the configuration that runs; 0 before the first.
  public var revision: UInt64 = 0
  /// Whether the last attempt to load, the first one included, succeeded.
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

  public init() {}
}
