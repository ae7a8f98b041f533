/// The certificates of one worker by host: exact, then wildcard.
///
/// One table serves all listeners of a worker; a certificate may be for some of them only. Changes touch
/// the hosts of one certificate and no connection: a connection holds the certificate that it was given.
///
/// A change of many certificates is made in steps that show nothing: ``stage(_:listeners:)`` and
/// ``stageRemoval(name:)``, then ``flip()`` shows all of it at once, then ``settleNext(_:)`` tidies up
/// one by one.
public final class CertificateTable {
  private var hosts = HostMap()
  private var names = CertificateNames()
  /// What the change under way touches.
  private var touched: [CertificateRecord] = []
  /// Of the phases, the one that is not shown now.
  private var hidden = CertificateRecord.Phase.arriving

  public init() {}

  /// Certificates that are shown; between ``flip()`` and the end of a change, those that go as well.
  public var count: Int { names.count }

  public func certificate(named name: String) -> TLSCertificate? { names[name]?.certificate }

  /// Adds a certificate, or replaces the one of the same name, at once.
  ///
  /// - Parameter listeners: numbers of those that show it; empty: all.
  public func set(_ certificate: TLSCertificate, listeners: [Int] = []) {
    stage(certificate, listeners: listeners)
    flip()
    while settleNext({ _ in }) {}
  }

  /// At once.
  /// - Returns: whether there was one.
  @discardableResult
  public func remove(name: String) -> Bool {
    let isThere = stageRemoval(name: name)
    flip()
    while settleNext({ _ in }) {}
    return isThere
  }

  // MARK: Changes in steps

  /// Prepares that a certificate is added, or replaces the one of its name.
  public func stage(_ certificate: TLSCertificate, listeners: [Int]) {
    let record = CertificateRecord(certificate, listeners: listeners)
    if let known = names[certificate.name] {
      record.predecessor = leave(known)
    }
    names.set(record)
    hosts.insert(record)
    touched.append(record)
  }

  /// Prepares that a certificate is removed.
  /// - Returns: whether there is one.
  @discardableResult
  public func stageRemoval(name: String) -> Bool {
    guard let known = names[name], known.phase != .leaving else { return false }
    if let visible = leave(known) {
      names.set(visible)
      touched.append(visible)
    } else {
      names.remove(known)
    }
    return true
  }

  /// Takes what has not been shown yet out again, and lets what is shown go with the change.
  /// - Returns: what is shown, if anything.
  private func leave(_ record: CertificateRecord) -> CertificateRecord? {
    guard record.phase == .arriving else {
      record.phase = .leaving
      return record
    }
    hosts.remove(record)
    // Neither phase: there is nothing left to do for it.
    record.phase = .settled
    let visible = record.predecessor
    record.predecessor = nil
    return visible
  }

  /// Shows what was prepared, and nothing any more of what it replaces.
  public func flip() { hidden = .leaving }

  /// Tidies up after one certificate of the change.
  ///
  /// - Parameter forget: told of a certificate that is shown no more.
  /// - Returns: false when the change is done, and another may begin.
  public func settleNext(_ forget: (TLSCertificate) -> Void) -> Bool {
    guard let record = touched.popLast() else {
      touched = []
      hidden = .arriving
      return false
    }
    switch record.phase {
    case .settled: break
    case .arriving:
      record.phase = .settled
      if let old = record.predecessor {
        record.predecessor = nil
        remove(old, forget)
      }
    case .leaving:
      // One that was replaced after all is its successor's to remove.
      guard names[record.certificate.name] === record else { break }
      names.remove(record)
      remove(record, forget)
    }
    return true
  }

  private func remove(_ record: CertificateRecord, _ forget: (TLSCertificate) -> Void) {
    hosts.remove(record)
    if names[record.certificate.name]?.certificate !== record.certificate { forget(record.certificate) }
  }

  // MARK: Looking up

  /// The certificates that a listener shows for a host in lower case, the best first; empty where there
  /// are none.
  func candidates(for host: [UInt8], listener: Int = 0) -> [TLSCertificate] {
    if host.first == UInt8(ascii: ".") { return [] }
    let exact = candidates(host.span, listener)
    guard exact.isEmpty, let dot = HostName.firstDot(host.span) else { return exact }
    return candidates(host.span.extracting(dot..<host.count), listener)
  }

  private func candidates(_ key: Span<UInt8>, _ listener: Int) -> [TLSCertificate] {
    var found: [TLSCertificate] = []
    hosts.forEach(key) { record in
      if record.phase != hidden, record.isShown(by: listener) { found.append(record.certificate) }
    }
    if found.count > 1 { found.sort(by: Self.isBetter) }
    return found
  }

  /// What costs the server least; then what was issued last; then by name, so that the order in which
  /// they came does not matter.
  private static func isBetter(_ a: TLSCertificate, _ b: TLSCertificate) -> Bool {
    if a.keyKind != b.keyKind { return a.keyKind < b.keyKind }
    if a.notBefore != b.notBefore { return a.notBefore > b.notBefore }
    return a.name < b.name
  }

  /// Why a client is shown a certificate, for those who ask.
  public struct Choice: Sendable, Equatable {
    public enum Match: Sendable, Equatable {
      case exact, wildcard
    }

    public var certificate: TLSCertificate
    public var match: Match
    /// The certificate's host that it was found by.
    public var host: String

    public static func == (a: Choice, b: Choice) -> Bool {
      a.certificate === b.certificate && a.match == b.match && a.host == b.host
    }
  }

  /// The certificates that a listener shows for a host, the best first, each with the reason.
  ///
  /// - Parameter host: in lower case.
  public func choices(for host: String, listener: Int) -> [Choice] {
    candidates(for: Array(host.utf8), listener: listener).map { certificate in
      if certificate.hosts.contains(host) {
        return Choice(certificate: certificate, match: .exact, host: host)
      }
      let dot = host.firstIndex(of: ".") ?? host.endIndex
      return Choice(certificate: certificate, match: .wildcard, host: "*" + host[dot...])
    }
  }
}
