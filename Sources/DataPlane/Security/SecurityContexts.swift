import TLS

/// What a worker's listener does TLS with.
final class ListenerContext {
  let revision: UInt64
  /// Nil where the options cannot be used, which the control plane has checked before.
  let context: TLSServerContext?
  private let tls: TLSWorker
  private let table = CertificateTable()
  private var certificates: [String: TLSCertificate] = [:]
  private var ticketKeys: TicketKeys?

  init(_ listener: ListenerSecurity, on tls: TLSWorker) {
    self.tls = tls
    revision = listener.revision
    ticketKeys = listener.ticketKeys
    context = try? TLSServerContext(
      listener.options, certificates: table, ticketKeys: listener.ticketKeys, on: tls)
    update(listener)
  }

  /// Takes over changed certificates and ticket keys.
  func update(_ listener: ListenerSecurity) {
    var known = certificates
    for certificate in listener.certificates {
      let old = known.removeValue(forKey: certificate.name)
      if old === certificate { continue }
      table.set(certificate)
      certificates[certificate.name] = certificate
      if let old { tls.forget(old) }
    }
    // What is left was not replaced by one of its name.
    for (name, old) in known where !listener.certificates.contains(where: { $0.name == name }) {
      table.remove(name: name)
      certificates[name] = nil
      tls.forget(old)
    }
    context?.setDefaultCertificates(listener.defaultCertificates)
    if let keys = listener.ticketKeys, keys !== ticketKeys { context?.setTicketKeys(keys) }
    ticketKeys = listener.ticketKeys
  }
}

/// What a worker's service does TLS with.
final class ServiceContext {
  let revision: UInt64
  /// Nil where the options cannot be used, which the control plane has checked before.
  let context: TLSClientContext?

  init(_ service: ServiceSecurity, on tls: TLSWorker) {
    revision = service.revision
    context = try? TLSClientContext(service.options, on: tls)
  }
}
