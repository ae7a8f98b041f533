/// `services`: health, failures and limits.
enum ServiceSettingSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "HealthCheck": Schema.object(
      "Active checks, made once for the process. Needs one of path, grpc and tcp.",
      [
        "path": Schema.text("HTTP: a GET of this path."),
        "grpc": Schema.any(
          "grpc.health.v1: of the whole server, or of a service.",
          [["const": true], Schema.reference("GRPCHealth")]),
        "tcp": Schema.boolean("A connection that is accepted is enough.", default: false),
        "host": Schema.text("HTTP and gRPC: the host that is sent; else the endpoint's address."),
        "expect": Schema.any(
          "HTTP: healthy statuses.",
          [
            Schema.reference("StatusRange"),
            Schema.list("Several.", of: Schema.reference("StatusRange"), minimum: 1),
          ], default: ["200-399"]),
        "interval": Schema.duration("Between two checks of an endpoint.", default: "5s"),
        "timeout": Schema.duration("For one check.", default: "2s"),
        "rise": Schema.integer("Successes in a row that make it healthy.", 1...1_000, default: 2),
        "fall": Schema.integer("Failures in a row that make it unhealthy.", 1...1_000, default: 3),
        "port": Schema.integer("Another port than the endpoint's.", 1...65_535),
        "tls": Schema.any(
          "Where this is left out, as the service.",
          [["const": true], Schema.word("off"), Schema.reference("ServiceTLS")]),
      ]),
    "GRPCHealth": Schema.object(
      "Whose health is asked for.", ["service": Schema.text("Empty for the whole server.")]),
    "StatusRange": [
      "type": ["integer", "string"], "minimum": 100, "maximum": 599,
      "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$", "description": "A status, or a range of them.",
      "examples": [200, "300-399"],
    ],
    "Ejection": Schema.object(
      "Passive ejection: what real requests see takes an endpoint out.",
      [
        "consecutiveFailures": Schema.integer(
          "Failures in a row, as one worker sees them.", 1...1_000_000, default: 5),
        "duration": Schema.duration(
          "The first ejection; the n-th in a row lasts n times as long.", default: "30s"),
        "durationMax": Schema.duration("The longest.", default: "5m"),
        "percentMax": Schema.percentage("Of a service's endpoints; at least one stays.", default: "50%"),
      ]),
    "ServiceTimeouts": Schema.object(
      "How long things may take.",
      [
        "connect": Schema.duration("To connect.", default: "3s"),
        "response": Schema.duration(
          "From the end of the request to the head of the response.", default: "1m"),
        "idle": Schema.duration(
          "Between two reads of the response's content, or two writes of the request's.", default: "1m"),
        "tunnel": Schema.duration("Without a byte on a connection that was upgraded.", default: "1h"),
      ]),
    "Retries": Schema.object(
      "Requests that are sent again.",
      [
        "attempts": Schema.integer("Attempts beyond the first.", 1...10, default: 1),
        "on": Schema.list(
          "Failures and statuses after which it is tried again.", of: Schema.reference("RetryCondition"),
          minimum: 1, default: ["connect-failure", "reset"]),
        "budget": Schema.percentage(
          "Retries as a share of requests over the last 10 seconds.", default: "20%"),
        "nonIdempotent": Schema.boolean("Also for methods such as POST.", default: false),
      ]),
    "RetryCondition": Schema.any(
      "A status, or a failure.",
      [
        Schema.integer("A status.", 500...599),
        Schema.choice(
          "A failure.",
          [
            "connect-failure", "reset", "response-timeout", "grpc-cancelled", "grpc-deadline-exceeded",
            "grpc-internal", "grpc-resource-exhausted", "grpc-unavailable",
          ]),
      ]),
    "Pool": Schema.object(
      "Kept connections to one endpoint, of one worker.",
      [
        "idleMax": Schema.integer("Idle ones that are kept.", 0...1_000_000, default: 1_024),
        "idleTimeout": Schema.duration("Shorter than the endpoint's own.", default: "1m"),
        "lifetime": Schema.duration("One that is this old is not used again.", default: "1h"),
      ]),
    "ServiceLimits": Schema.object(
      "What one service may use, for the whole process.",
      [
        "connections": Schema.integer(
          "Open connections to all endpoints.", 1...1_000_000, default: 4_096),
        "pending": Schema.integer("Requests that wait; 503 above.", 0...1_000_000, default: 1_024),
        "inFlight": Schema.integer(
          "Requests in flight; those above wait.", 1...1_000_000, default: 4_096),
        "pendingTimeout": Schema.duration("How long a request may wait.", default: "5s"),
        "adaptive": Schema.any(
          "A limit on requests in flight that follows response times; 503 above. true is all of the defaults.",
          [["const": true], Schema.word("off"), Schema.reference("AdaptiveConcurrency")], default: "off"),
      ]),
    "AdaptiveConcurrency": Schema.object(
      "A limit on requests in flight that follows response times.",
      [
        "minimum": Schema.integer("It gets no lower.", 1...1_000_000, default: 20),
        "tolerance": Schema.text(
          "Where response times are above this share of what is usual, from 101% to 1000%, it shrinks.",
          default: "150%"),
      ]),
  ]
}
