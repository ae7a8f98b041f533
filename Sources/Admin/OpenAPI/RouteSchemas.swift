/// `routes`.
enum RouteSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "Route": Schema.object(
      "Which requests go to which services. It needs a service, or backends, unless all of its requests "
        + "are redirected, or answered by one of its plugins.",
      [
        "name": Schema.reference("Name"),
        "listeners": Schema.list(
          "Listeners that it is attached to, by name; where this is left out, all.",
          of: Schema.reference("Name")),
        "hosts": Schema.list(
          "One of these; where this is left out, any. *. is any number of labels, at least one.",
          of: Schema.reference("Host")),
        "match": Schema.list(
          "One of these.", of: Schema.reference("Match"), minimum: 1, default: [["path": "/"]]),
        "service": Schema.reference("Name", "Where requests go. Not together with backends."),
        "backends": Schema.list(
          "Where they go by weight. Not together with service.", of: Schema.reference("Backend"), minimum: 1),
        "upgrades": Schema.list(
          "What a connection may be upgraded to.", of: Schema.text("A protocol."), maximum: 16,
          default: ["websocket"]),
        "redirect": Schema.reference("RedirectSetting", "Where this is left out, as the listener."),
        "hsts": Schema.reference("HSTSSetting", "Where this is left out, as the listener."),
        "plugins": Schema.reference("Plugins"),
      ]),
    "Backend": Schema.object(
      "A service, and its share.", required: ["service"],
      [
        "service": Schema.reference("Name"),
        "weight": Schema.integer("Its share of the sum; 0 takes no requests.", 0...1_000_000, default: 1),
      ]),
    "Match": Schema.object(
      "Conditions that all have to hold.",
      [
        "path": Schema.any(
          "A path alone is a prefix of whole segments.",
          [
            Schema.text("A prefix.", maxLength: 8_192), Schema.reference("PathMatch"),
          ], default: "/"),
        "methods": Schema.list(
          "One of these, in upper case; where this is left out, any.", of: Schema.text("A method.")),
        "headers": conditions("Fields by name; names ignore case."),
        "query": conditions("Parameters of the query by name."),
        "grpc": Schema.reference("GRPCMatch"),
      ]),
    "PathMatch": Schema.object(
      "Exactly one of the three.",
      [
        "exact": Schema.text("This path only.", maxLength: 8_192),
        "prefix": Schema.text("Whole segments: /a matches /a and /a/b, not /ab.", maxLength: 8_192),
        "regex": Schema.reference("RegularExpression"),
      ]),
    "FieldMatch": Schema.object(
      "Exactly one of the two.",
      [
        "exact": ["type": ["string", "number", "boolean"], "description": "The value."],
        "regex": Schema.reference("RegularExpression"),
      ]),
    "GRPCMatch": Schema.object(
      "A gRPC call, by what is given. Not together with path, methods and query.",
      [
        "service": Schema.text("With its package: orders.v1.Orders.", maxLength: 1_024),
        "method": Schema.text("Get.", maxLength: 1_024),
      ]),
  ]

  private static func conditions(_ description: String) -> JSON {
    [
      "type": "object", "description": .string(description), "maxProperties": 64,
      "additionalProperties": Schema.any(
        "The value, or how it is compared.",
        [
          ["type": ["string", "number", "boolean"], "maxLength": 8_192], Schema.reference("FieldMatch"),
        ]),
    ]
  }

  static let example: JSON = [
    "name": "shop", "hosts": ["shop.example.com"],
    "match": [["path": "/orders", "methods": ["GET"], "headers": ["X-Beta": "1"]]],
    "backends": [["service": "orders", "weight": 90], ["service": "orders-next", "weight": 10]],
  ]
}
