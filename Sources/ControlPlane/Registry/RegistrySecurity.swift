import Logging
import Resources

/// Certificates, keys and authorities whose files change, or whose time comes.
extension Registry {
  /// Takes over files that have changed while the resources have not. Those that cannot be used leave
  /// what was made of them before in place.
  ///
  /// - Parameter readsAll: Somebody asks: reads files also where `stat` says that they are as before, and
  ///   those that cannot be used are errors.
  /// - Returns: services whose health checks have to be told.
  func refreshFiles(readsAll: Bool) -> Set<String> {
    let refreshed = desk.refresh(readsAll: readsAll)
    desk.keep()
    for problem in refreshed.problems {
      logger.log(level: readsAll ? .error : .warning, "\(problem.description)")
    }
    if !refreshed.problems.isEmpty {
      logger.warning("these files are not in use; what they held before is, until they are put right")
    }
    for key in refreshed.renewed {
      var metadata: Logger.Metadata = [:]
      if let notAfter = desk.files[key]?.certificate?.notAfter {
        metadata["expires"] = "\(WallClock.text(notAfter))"
      }
      logger.info("the \(key.description) was loaded anew", metadata: metadata)
    }
    status.filesRenewed += UInt64(refreshed.renewed.count)
    status.filesRefused += UInt64(refreshed.problems.count)
    status.filesStale = desk.files.problems.count
    tell(refreshed.changes)
    return refreshed.changes.checks
  }

  private func tell(_ changes: SecurityDesk.Changes) {
    noteExpiry(ofCertificates: changes.certificates, services: changes.services)
    guard !changes.listeners.isEmpty || !changes.certificates.isEmpty || !changes.services.isEmpty
    else { return }
    send(delta(of: changes))
  }

  /// Makes ticket keys and warnings that are due.
  func securityIsDue() {
    var changes = SecurityDesk.Changes()
    desk.rotateTicketKeys(at: .now, &changes)
    desk.keep()
    tell(changes)
    if let pause = expiry.pause(now: WallClock.unixSeconds()), pause <= .seconds(1) {
      warn(expiry.noteAll(certificates, now: WallClock.unixSeconds()))
    }
  }

  /// When ``securityIsDue()`` is to be called.
  var securityDue: ContinuousClock.Instant? {
    let expiry = expiry.pause(now: WallClock.unixSeconds()).map { ContinuousClock.now + $0 }
    return [desk.nextRotation, expiry].compactMap { $0 }.min()
  }

  // MARK: Expiry

  /// The certificates that run now, with what is known of their time; by name.
  var certificates: [CertificateStatus] {
    let shown = desk.shelf.certificates.map { certificate in
      CertificateStatus(
        use: .listeners(certificate.name), notBefore: certificate.notBefore, notAfter: certificate.notAfter)
    }
    return shown.sorted { $0.name < $1.name }
      + desk.securedServices.sorted().compactMap { ownCertificate(ofService: $0) }
  }

  private func ownCertificate(ofService name: String) -> CertificateStatus? {
    desk.ownCertificate(ofService: name).map { certificate in
      CertificateStatus(
        use: .service(name), notBefore: certificate.notBefore, notAfter: certificate.notAfter)
    }
  }

  func noteExpiry(ofCertificates names: Set<String>, services: Set<String>) {
    let shown = names.sorted().compactMap { name in
      desk.shelf[name].map { certificate in
        CertificateStatus(
          use: .listeners(name), notBefore: certificate.notBefore, notAfter: certificate.notAfter)
      }
    }
    let own = services.sorted().compactMap { ownCertificate(ofService: $0) }
    warn(expiry.note(shown + own, now: WallClock.unixSeconds()))
  }

  private func warn(_ warnings: [ExpiryWatch.Warning]) {
    for warning in warnings {
      var metadata: Logger.Metadata = ["expires": "\(WallClock.text(warning.notAfter))"]
      switch warning.use {
      case .listeners(let name): metadata["certificate"] = "\(name)"
      case .service(let name): metadata["service"] = "\(name)"
      }
      switch warning.stage {
      case .good: break
      case .expiresSoon: logger.warning("a certificate expires soon", metadata: metadata)
      case .expired: logger.error("a certificate has expired", metadata: metadata)
      }
    }
  }
}

extension CertificateStatus {
  /// Of the certificate, or of the service that it is for.
  var name: String {
    switch use {
    case .listeners(let name), .service(let name): name
    }
  }
}
