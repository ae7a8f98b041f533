/// The certificates of one worker by host: exact, then wildcard.
///
/// One table serves all listeners of a worker, or each has its own; the difference is which hosts a
/// listener answers for. Changes touch the hosts of one certificate and no connection: a connection
/// holds the certificate that it was given.
public final class CertificateTable {
  /// By host in lower case. A wildcard is kept as what follows its star, `.example.com`, which no host
  /// begins with. The best certificate comes first.
  private var hosts = HostMap()
  private var names: [String: TLSCertificate] = [:]

  public init() {}

  public var count: Int { names.count }

  public func certificate(named name: String) -> TLSCertificate? { names[name] }

  /// Adds a certificate, or replaces the one of the same name.
  public func set(_ certificate: TLSCertificate) {
    remove(name: certificate.name)
    names[certificate.name] = certificate
    for host in certificate.hosts {
      hosts.update(Self.key(host)) {
        $0.append(certificate)
        $0.sort(by: Self.isBetter)
      }
    }
  }

  /// - Returns: whether there was one.
  @discardableResult
  public func remove(name: String) -> Bool {
    guard let certificate = names.removeValue(forKey: name) else { return false }
    for host in certificate.hosts {
      hosts.update(Self.key(host)) { $0.removeAll { $0 === certificate } }
    }
    return true
  }

  private static func key(_ host: String) -> [UInt8] {
    host.hasPrefix("*") ? Array(host.utf8.dropFirst()) : Array(host.utf8)
  }

  /// What costs the server least; then what was issued last; then by name, so that the order in which
  /// they came does not matter.
  private static func isBetter(_ a: TLSCertificate, _ b: TLSCertificate) -> Bool {
    if a.keyKind != b.keyKind { return a.keyKind < b.keyKind }
    if a.notBefore != b.notBefore { return a.notBefore > b.notBefore }
    return a.name < b.name
  }

  /// The certificates for a host in lower case, the best first; empty where there are none.
  func candidates(for host: [UInt8]) -> [TLSCertificate] {
    if host.first == UInt8(ascii: ".") { return [] }
    let exact = hosts[host]
    guard exact.isEmpty, let dot = HostName.firstDot(host.span) else { return exact }
    return hosts[Array(host[dot...])]
  }
}
