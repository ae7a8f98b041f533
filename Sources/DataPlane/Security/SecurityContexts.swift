import TLS

/// What a worker's listener does TLS with. Its certificates are in the worker's ``CertificateTable``.
final class ListenerContext {
  let revision: UInt64
  /// Nil where the options cannot be used, which the control plane has checked before.
  let context: TLSServerContext?
  private var ticketKeys: TicketKeys?

  init(_ listener: ListenerSecurity, number: Int, certificates: CertificateTable, on tls: TLSWorker) {
    revision = listener.revision
    ticketKeys = listener.ticketKeys
    context = try? TLSServerContext(
      listener.options, certificates: certificates, listener: number, ticketKeys: listener.ticketKeys,
      on: tls)
    context?.setDefaultCertificates(listener.defaultCertificates)
  }

  /// Takes over changed default certificates and ticket keys: connections that are there do not notice.
  func update(_ listener: ListenerSecurity) {
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
