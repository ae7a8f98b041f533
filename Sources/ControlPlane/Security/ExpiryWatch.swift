/// A certificate of the running configuration, for metrics and warnings.
public struct CertificateStatus: Sendable, Equatable {
  /// What it is for.
  public enum Use: Sendable, Hashable {
    /// Listeners show it; its name in the configuration.
    case listeners(String)
    /// The gateway's own for a service that asks for one; the service's name.
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

/// Decides when to warn that a certificate expires: once some time before, and once when it has.
struct ExpiryWatch: Sendable {
  enum Stage: Int, Comparable, Sendable {
    case good, expiresSoon, expired

    static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }
  }

  struct Warning: Equatable {
    var use: CertificateStatus.Use
    var stage: Stage
    var notAfter: Int64
  }

  /// What renewal by ACME leaves of a certificate's 90 days is 30: one that has 14 was not renewed.
  static let noticeSeconds: Int64 = 14 * 86_400
  /// The wall clock may be set: it is asked this often at least.
  static let pauseMax = Duration.seconds(3_600)

  private struct Warned {
    var notAfter: Int64
    var stage: Stage
  }

  /// Those that have been warned of; most have not.
  private var warned: [CertificateStatus.Use: Warned] = [:]
  /// Seconds since 1970-01-01 UTC.
  private var nextDue = Int64.max

  /// Takes certificates in that are new or have changed.
  ///
  /// - Parameter now: seconds since 1970-01-01 UTC.
  /// - Returns: what is to be warned of, in their order.
  mutating func note(_ certificates: some Sequence<CertificateStatus>, now: Int64) -> [Warning] {
    var warnings: [Warning] = []
    for certificate in certificates {
      let stage = Self.stage(of: certificate, now: now)
      var told = Stage.good
      if let old = warned[certificate.use], old.notAfter == certificate.notAfter { told = old.stage }
      if stage > told {
        warnings.append(Warning(use: certificate.use, stage: stage, notAfter: certificate.notAfter))
      }
      if stage == .good {
        warned[certificate.use] = nil
      } else {
        warned[certificate.use] = Warned(notAfter: certificate.notAfter, stage: max(stage, told))
      }
      if stage < .expired {
        nextDue = min(nextDue, certificate.notAfter - (stage == .good ? Self.noticeSeconds : 0))
      }
    }
    return warnings
  }

  /// Takes all certificates in: those that are not among them are gone. Once in ``pauseMax`` at most.
  mutating func noteAll(_ certificates: some Sequence<CertificateStatus>, now: Int64) -> [Warning] {
    let before = warned
    nextDue = .max
    let warnings = note(certificates, now: now)
    if !before.isEmpty {
      let present = Set(certificates.lazy.map(\.use))
      warned = warned.filter { present.contains($0.key) }
    }
    return warnings
  }

  /// How long nothing is to be warned of; `nil` where there is nothing left to warn of.
  func pause(now: Int64) -> Duration? {
    nextDue == .max ? nil : min(.seconds(max(1, nextDue - now)), Self.pauseMax)
  }

  private static func stage(of certificate: CertificateStatus, now: Int64) -> Stage {
    if certificate.notAfter <= now { return .expired }
    return certificate.notAfter - noticeSeconds <= now ? .expiresSoon : .good
  }
}
