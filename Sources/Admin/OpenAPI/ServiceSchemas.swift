import Resources

/// `services`: what they are, and how they are used.
enum ServiceSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "Service": Schema.object(
      "A named set of endpoints, and how they are used.", required: ["endpoints"],
      [
        "name": Schema.reference("Name"),
        "endpoints": Schema.list(
          "Each address once, and not all with the weight 0.",
          of: Schema.any(
            "An address alone has the weight 1.", [Schema.reference("Address"), Schema.reference("Endpoint")]),
          minimum: 1),
        "protocol": Schema.choice(
          "What endpoints speak. auto, with tls only: HTTP/2 where ALPN agrees on it.",
          ServiceProtocol.allCases.map(\.rawValue), default: "http/1.1"),
        "tls": Schema.any(
          "TLS to endpoints. true is all of the defaults.",
          [["const": true], Schema.word("off"), Schema.reference("ServiceTLS")], default: "off"),
        "http2": Schema.reference("ServiceHTTP2"),
        "balance": Schema.any(
          "Which endpoint takes a request.",
          [
            Schema.choice("A word.", ["round-robin", "least-request"]), Schema.reference("HashBalance"),
            Schema.reference("StickyBalance"),
          ], default: "round-robin"),
        "slowStart": Schema.duration(
          "A new or recovered endpoint's share grows to its weight over this time.", default: "0s"),
        "health": Schema.orOff("HealthCheck", "Active checks.", default: "off"),
        "ejection": Schema.orOff(
          "Ejection", "Endpoints that fail real requests are left out for a while; on by default."),
        "timeouts": Schema.reference("ServiceTimeouts"),
        "retries": Schema.orOff("Retries", "On by default."),
        "pool": Schema.reference("Pool"),
        "limits": Schema.reference("ServiceLimits"),
        "plugins": Schema.reference("Plugins"),
      ]),
    "Endpoint": Schema.object(
      "An address with its weight.", required: ["address"],
      [
        "address": Schema.reference("Address"),
        "weight": Schema.integer("0 takes no new requests.", 0...1_000, default: 1),
      ]),
    "ServiceTLS": Schema.object(
      "TLS towards endpoints.",
      [
        "verify": Schema.boolean(
          "Whether an endpoint has to show a certificate for its name that an authority signed.",
          default: true),
        "ca": Schema.file("PEM: the authorities; where this is left out, the system's."),
        "serverName": Schema.text("For SNI and verification; where this is left out, the endpoint's host."),
        "certificate": Schema.file("PEM: the gateway's own, for endpoints that ask for one. Needs key."),
        "key": Schema.file("PEM: its private key."),
      ]),
    "ServiceHTTP2": Schema.object(
      "HTTP/2 with endpoints.",
      [
        "streams": Schema.integer("Requests in flight on one connection.", 1...10_000, default: 100),
        "connections": Schema.integer(
          "Connections of one worker to one endpoint.", 1...1_000, default: 8),
        "windowBytes": Schema.size("Flow-control window of a stream; from 16KiB.", default: "64KiB"),
        "connectionWindowBytes": Schema.size(
          "The same for a connection; not less than windowBytes.", default: "1MiB"),
      ]),
    "HashBalance": Schema.object(
      "Consistent hashing: a key stays with its endpoint.", required: ["hash"],
      ["hash": Schema.reference("HashKey")]),
    "HashKey": Schema.object(
      "By what: exactly one of these.",
      [
        "by": Schema.any(
          "client-ip, or one of the others in a mapping.",
          [Schema.word("client-ip"), Schema.reference("HashKeyPart")]),
        "header": Schema.text("A request header."),
        "cookie": Schema.text("A cookie."),
        "query": Schema.text("A parameter of the query."),
      ]),
    "HashKeyPart": Schema.object(
      "Exactly one of these.",
      [
        "header": Schema.text("A request header."), "cookie": Schema.text("A cookie."),
        "query": Schema.text("A parameter of the query."),
      ]),
    "StickyBalance": Schema.object(
      "A cookie of the gateway's own keeps a client with its endpoint.", required: ["sticky"],
      ["sticky": Schema.reference("StickyCookie")]),
    "StickyCookie": Schema.object(
      "The cookie.", required: ["cookie"], ["cookie": Schema.text("Its name.")]),
  ]

  static let example: JSON = [
    "name": "orders", "endpoints": ["10.0.0.1:8080", ["address": "orders.internal:8080", "weight": 3]],
    "balance": "least-request", "health": ["path": "/healthz", "interval": "2s"],
  ]
}
