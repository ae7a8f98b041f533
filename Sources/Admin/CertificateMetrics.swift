/// The metrics of certificates and their files.
enum CertificateMetrics {
  static func append(_ status: GatewayStatus, certificatesMax: Int, to page: inout PrometheusText) {
    let all = status.certificates
    var shown = all
    if all.count > certificatesMax {
      // Those that are urgent.
      shown = Array(all.sorted { $0.notAfter < $1.notAfter }.prefix(certificatesMax))
    }
    page.begin(
      "penstock_certificate_expiry_timestamp_seconds", .gauge,
      "When a certificate for clients ends, since the Unix epoch.")
    for certificate in shown { append(certificate, certificate.notAfter, to: &page) }
    page.begin(
      "penstock_certificate_not_before_timestamp_seconds", .gauge,
      "When a certificate for clients begins, since the Unix epoch.")
    for certificate in shown { append(certificate, certificate.notBefore, to: &page) }
    page.begin(
      "penstock_client_certificate_expiry_timestamp_seconds", .gauge,
      "When the certificate ends that is shown to a service's endpoints, since the Unix epoch.")
    for certificate in shown {
      if case .service(let name) = certificate.use {
        page.sample(["service": name], Int(certificate.notAfter))
      }
    }
    page.gauge(
      "penstock_metrics_certificates_omitted", "Certificates that this page leaves out.",
      all.count - shown.count)
    appendFiles(status.certificateFiles, to: &page)
  }

  private static func append(
    _ certificate: CertificateFigures, _ seconds: Int64, to page: inout PrometheusText
  ) {
    if case .certificate(let name) = certificate.use { page.sample(["certificate": name], Int(seconds)) }
  }

  private static func appendFiles(_ files: CertificateFileFigures, to page: inout PrometheusText) {
    page.begin(
      "penstock_certificate_reloads_total", .counter,
      "Changed certificates, bundles and ticket keys that were taken over, or could not be used.")
    page.sample(["result": "success"], files.renewed)
    page.sample(["result": "failure"], files.refused)
    page.gauge(
      "penstock_certificate_files_stale",
      "Certificates, bundles and ticket keys whose files cannot be used now; those before are in use.",
      files.stale)
  }
}
