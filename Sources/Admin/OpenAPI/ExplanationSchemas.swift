/// What `/v1/explain` answers: DataPlane's `Explanation`.
enum ExplanationSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "Explanation": ChangeSchemas.answer(
      "What would become of a request, and why, as one worker sees it.",
      [
        "revision", "outcome", "summary", "method", "host", "path", "listenersConsidered", "backends",
        "plugins",
        "nearMisses", "isNearMissesCutShort",
      ],
      [
        "revision": Schema.reference("Revision", "Of the configuration that this is about."),
        "outcome": Schema.choice(
          "proxied: it goes to an endpoint.",
          [
            "proxied", "redirected", "noListener", "handshakeRefused", "misdirected", "refused", "noRoute",
            "answered", "noEndpoint",
          ]),
        "status": ["type": "integer", "description": "What the gateway would answer itself."],
        "summary": Schema.text("One sentence."),
        "location": Schema.text("Of a redirect."),
        "method": Schema.text("As asked."),
        "host": Schema.text("In lower case."),
        "path": Schema.text("In the form that routes are matched with."),
        "listener": Schema.reference("ExplainedListener", "Left out where there is none."),
        "listenersConsidered": Schema.list(
          "Those that were looked at, where the question names none.",
          of: Schema.reference("ExplainedListener")),
        "certificate": Schema.reference("ExplainedCertificate", "With TLS only."),
        "route": Schema.reference("ExplainedRoute", "Left out where there is none."),
        "backends": Schema.list("Where the route leads.", of: Schema.reference("ExplainedBackend")),
        "plugins": Schema.list(
          "What the request meets, in this order.", of: Schema.reference("ExplainedPlugin")),
        "nearMisses": Schema.list(
          "Routes that it does not get, the closest first.", of: Schema.reference("NearMiss")),
        "isNearMissesCutShort": Schema.boolean("There were more candidates than were looked at."),
      ]),
    "ExplainedPlugin": ChangeSchemas.answer(
      "A plugin.", ["name", "scope", "phases", "answersAlways"],
      [
        "name": Schema.text("key-auth."), "scope": Schema.text("Where it is set: route shop."),
        "phases": Schema.list("What it takes part in.", of: ["type": "string"]),
        "answersAlways": Schema.boolean("No request comes past it."),
      ]),
    "ExplainedListener": ChangeSchemas.answer(
      "A listener.", ["name", "address", "reason"],
      [
        "name": Schema.reference("Name"), "address": Schema.reference("Address"),
        "reason": Schema.text("Why this one, or why not."),
      ]),
    "ExplainedCertificate": ChangeSchemas.answer(
      "The certificate that the client is shown.", ["name", "keyKind", "match", "notAfter", "alternatives"],
      [
        "name": Schema.reference("Name"), "keyKind": Schema.text("ECDSA or RSA."),
        "match": Schema.choice("By what it was found.", ["exact", "wildcard", "default"]),
        "host": Schema.text("Its host that the client's was found by."),
        "notAfter": ["type": "integer", "description": "Seconds since 1970-01-01 UTC."],
        "alternatives": Schema.list(
          "For clients that cannot verify the first one's kind of key.", of: ["type": "string"]),
      ]),
    "ExplainedRoute": ChangeSchemas.answer(
      "The route that it gets.", ["name", "match", "pathKind", "path", "reason"],
      [
        "name": Schema.reference("Name"),
        "host": Schema.text("As the route has it; left out where it is for any."),
        "match": ["type": "integer", "minimum": 0, "description": "Which of its matches, from 0."],
        "pathKind": pathKind, "path": Schema.text("As the route has it."),
        "reason": Schema.text("Why it comes before others."),
      ]),
    "ExplainedBackend": ChangeSchemas.answer(
      "A service of the route.", ["service", "weight", "share", "balance", "endpoints", "endpointCount"],
      [
        "service": Schema.reference("Name"),
        "weight": ["type": "integer", "minimum": 0],
        "share": ["type": "number", "minimum": 0, "maximum": 1, "description": "Of such requests."],
        "chosenBy": Schema.text("The plugin that has it take them; left out where the route's weights do."),
        "balance": Schema.text("How an endpoint is picked."),
        "endpoints": Schema.list("The first of them.", of: Schema.reference("ExplainedEndpoint")),
        "endpointCount": ["type": "integer", "minimum": 0, "description": "All of them."],
        "key": Schema.text("What is picked by, where it is not chance."),
      ]),
    "ExplainedEndpoint": ChangeSchemas.answer(
      "An endpoint.",
      ["name", "address", "weight", "isHealthy", "inFlight", "mayBePicked", "isPicked"],
      [
        "name": Schema.text("As configured."), "address": Schema.text("What it stands for now."),
        "weight": ["type": "integer", "minimum": 0],
        "isHealthy": Schema.boolean("By its last checks."),
        "ejectedForSeconds": ["type": "number", "description": "Until this worker uses it again."],
        "inFlight": ["type": "integer", "minimum": 0, "description": "Requests of this worker."],
        "mayBePicked": Schema.boolean("Whether any request may get it now."),
        "isPicked": Schema.boolean("The very one that this request would get."),
      ]),
    "NearMiss": ChangeSchemas.answer(
      "A route that it does not get.", ["route", "pathKind", "path", "reason", "detail"],
      [
        "route": Schema.reference("Name"),
        "host": Schema.text("As the route has it; left out where it is for any."),
        "pathKind": pathKind, "path": Schema.text("As the route has it."),
        "reason": Schema.choice(
          "precedence: it takes such requests, but another route comes before it.",
          ["precedence", "query", "header", "method", "path", "listener", "host"]),
        "detail": Schema.text("What does not fit, or which rule decides."),
      ]),
  ]

  private static let pathKind = Schema.choice("How the path is compared.", ["exact", "regex", "prefix"])
}
