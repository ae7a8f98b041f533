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

  private struct Known {
    var notAfter: Int64
    var warned: Stage
  }

  private var known: [CertificateStatus.Use: Known] = [:]

  /// Takes the present certificates in.
  ///
  /// - Parameter now: seconds since 1970-01-01 UTC.
  /// - Returns: what is to be warned of, in the order of the certificates.
  mutating func update(_ certificates: [CertificateStatus], now: Int64) -> [Warning] {
    var warnings: [Warning] = []
    var present: [CertificateStatus.Use: Known] = [:]
    for certificate in certificates {
      let stage = Self.stage(of: certificate, now: now)
      var warned = Stage.good
      if let old = known[certificate.use], old.notAfter == certificate.notAfter { warned = old.warned }
      if stage > warned {
        warnings.append(Warning(use: certificate.use, stage: stage, notAfter: certificate.notAfter))
        warned = stage
      }
      present[certificate.use] = Known(notAfter: certificate.notAfter, warned: warned)
    }
    known = present
    return warnings
  }

  /// How long nothing is to be warned of; `nil` where there is nothing left to warn of.
  func pause(now: Int64) -> Duration? {
    var seconds: Int64?
    for certificate in known.values where certificate.warned < .expired {
      let due = certificate.notAfter - (certificate.warned == .good ? Self.noticeSeconds : 0)
      seconds = min(seconds ?? .max, max(1, due - now))
    }
    return seconds.map { min(.seconds($0), Self.pauseMax) }
  }

  private static func stage(of certificate: CertificateStatus, now: Int64) -> Stage {
    if certificate.notAfter <= now { return .expired }
    return certificate.notAfter - noticeSeconds <= now ? .expiresSoon : .good
  }
}
