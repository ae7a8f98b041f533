import Resources

/// `listeners`.
enum ListenerSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "Listener": Schema.object(
      "Where clients connect.", required: ["address"],
      [
        "name": Schema.reference("Name"),
        "address": Schema.reference(
          "Address", "An IP address and a port; \":8080\" is every IPv4 address. Each address once."),
        "proxyProtocol": Schema.boolean(
          "Connections begin with a PROXY protocol header, which is believed from anybody.", default: false),
        "tls": Schema.any(
          "TLS. true is all of the defaults.",
          [["const": true], Schema.word("off"), Schema.reference("ListenerTLS")], default: "off"),
        "connections": Schema.any(
          "Client connections of this listener, for the whole process; those above are closed.",
          [Schema.word("none"), Schema.integer("A number.", 1...10_000_000)], default: "none"),
        "h2c": Schema.boolean(
          "Without tls only: connections that begin with HTTP/2's preface are HTTP/2.", default: true),
        "redirect": Schema.reference("RedirectSetting", "Without tls only."),
        "hsts": Schema.reference("HSTSSetting", "With tls only."),
      ]),
    "ListenerTLS": Schema.object(
      "TLS towards clients.",
      [
        "profile": Schema.choice(
          "Versions and cipher suites, as Mozilla's guidelines name them.",
          ListenerTLS.Profile.allCases.map(\.rawValue), default: "intermediate"),
        "protocols": Schema.list(
          "What ALPN offers, in order of preference.",
          of: Schema.choice("A protocol.", ListenerTLS.ApplicationProtocol.allCases.map(\.rawValue)),
          minimum: 1, default: ["h2", "http/1.1"]),
        "clientCertificates": Schema.orOff("ClientCertificates", "What clients show.", default: "off"),
        "tickets": Schema.orOff("SessionTickets", "Session tickets.", default: ["rotate": "12h"]),
        "handshakeTimeout": Schema.duration(
          "From the accepted connection to the end of the handshake.", default: "10s"),
        "unknownHost": Schema.choice(
          "What becomes of a client that names a host without a certificate. Where nothing is said: "
            + "default, if one of the listener's certificates is a default one, else refuse.",
          ListenerTLS.UnknownHost.allCases.map(\.rawValue)),
      ]),
    "ClientCertificates": Schema.object(
      "Certificates that clients show.", required: ["ca"],
      [
        "verify": Schema.choice(
          "optional: a client without one is served.",
          ClientCertificates.Verification.allCases.map(\.rawValue), default: "required"),
        "ca": Schema.file("PEM: the authorities that may have signed them."),
        "crl": Schema.file("PEM: revocation lists of these authorities."),
        "depth": Schema.integer(
          "Intermediate certificates between the client's and the authority's, at most.", 0...10, default: 1),
      ]),
    "SessionTickets": Schema.object(
      "Where the keys of tickets come from: exactly one of the three.",
      [
        "rotate": Schema.duration("The process makes its own, a new one each time; at most 7d."),
        "file": Schema.file("A key of 48 or 80 bytes, in nginx's format."),
        "files": Schema.list(
          "The first encrypts, all decrypt.", of: Schema.reference("File"), minimum: 1, maximum: 16),
      ]),
  ]

  static let example: JSON = ["name": "secure", "address": ":443", "tls": true, "hsts": "365d"]
}
