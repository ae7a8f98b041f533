import DataPlane
import TLS

/// The metrics of TLS with clients, summed over the workers.
enum TLSMetrics {
  static func append(_ figures: WorkerFigures, to page: inout PrometheusText) {
    let handshakes = figures.handshakes
    page.begin(
      "penstock_tls_handshakes_total", .counter,
      "Handshakes with clients that were completed, by version and whether a session was resumed.")
    let counts = [
      ("1.2", "false", handshakes.tls12Full), ("1.2", "true", handshakes.tls12Resumed),
      ("1.3", "false", handshakes.tls13Full), ("1.3", "true", handshakes.tls13Resumed),
    ]
    for (version, isResumed, count) in counts {
      page.sample(["version": version, "resumed": isResumed], count)
    }
    page.begin(
      "penstock_tls_handshake_failures_total", .counter, "Handshakes with clients that failed, by reason.")
    for kind in TLSFailure.Kind.allCases {
      let count = handshakes.failures[Int(kind.rawValue)]
      if count > 0 { page.sample(["reason": name(of: kind)], count) }
    }
    page.single(
      "penstock_tls_handshakes_refused_total", .counter,
      "Client connections closed before their handshake because too many were under way.",
      figures.handshakesRefused)
  }

  private static func name(of kind: TLSFailure.Kind) -> String {
    switch kind {
    case .noSharedCipher: "no_shared_cipher"
    case .unsupportedProtocol: "unsupported_protocol"
    case .unknownHost: "unknown_host"
    case .clientCertificateRequired: "client_certificate_required"
    case .badCertificate: "bad_certificate"
    case .wrongName: "wrong_name"
    case .refusedByPeer: "refused_by_peer"
    case .malformed: "malformed"
    case .plainHTTP: "plain_http"
    case .noSharedApplicationProtocol: "no_shared_application_protocol"
    case .unusableCertificate: "unusable_certificate"
    case .closed: "closed"
    case .system: "system"
    case .timeout: "timeout"
    case .other: "other"
    }
  }
}
