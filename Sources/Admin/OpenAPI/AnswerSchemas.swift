import Resources

/// Problems, status, questions and pages.
enum AnswerSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "Problem": ChangeSchemas.answer(
      "What is wrong (RFC 9457).", ["type", "title", "status", "detail", "instance"],
      [
        "type": [
          "type": "string", "enum": .array(ProblemKind.allCases.map { .string($0.type) }),
          "description": "Stays the same; a path of the admin address that explains it.",
        ],
        "title": Schema.text("What it is."),
        "status": ["type": "integer", "description": "As in the status line."],
        "detail": Schema.text("About this request."),
        "instance": Schema.text("The request's path."),
        "errors": Schema.list(
          "Every mistake.", of: Schema.reference("ProblemError"), maximum: Problem.errorsMax),
        "errorsOmitted": ["type": "integer", "description": "How many more there are."],
      ]),
    "ProblemError": ChangeSchemas.answer(
      "One mistake.", ["detail"],
      [
        "id": Schema.reference("ResourceID"),
        "operation": ["type": "integer", "minimum": 0, "description": "Which one of a transaction, from 0."],
        "pointer": Schema.text("Where in the resource, as a JSON Pointer (RFC 6901)."),
        "field": Schema.text("The same, for people: backends[0].service."),
        "detail": Schema.text("What is wrong."),
        "hint": Schema.text("What would be right, where that is known."),
      ]),
    "Status": ChangeSchemas.answer(
      "How it goes with resources and their store.",
      ["version", "pid", "revision", "servedRevision", "store", "unserved", "owners"],
      [
        "version": Schema.text("Of the program."),
        "pid": [
          "type": "integer", "minimum": 1, "description": "Of the process: another one after an upgrade.",
        ],
        "revision": Schema.reference("Revision", "Of the last change."),
        "servedRevision": Schema.reference("Revision", "The last that every worker serves."),
        "store": Schema.reference("StoreStatus"),
        "unserved": [
          "type": "integer", "minimum": 0,
          "description": "Resources of the store that are not served; not among those of owners.",
        ],
        "owners": Schema.list("Who owns how much.", of: Schema.reference("OwnerStatus")),
      ]),
    "StoreStatus": ChangeSchemas.answer(
      "Whether changes can be kept.", ["state"],
      [
        "state": Schema.choice("none: only files say what is served.", ["none", "writable", "unavailable"]),
        "reason": Schema.text("Why it is unavailable."),
      ]),
    "OwnerStatus": ChangeSchemas.answer(
      "Resources of one owner.", ["owner", "resources"],
      [
        "owner": Schema.reference("Owner"),
        "resources": ChangeSchemas.answer(
          "How many, by kind.", ResourceKind.allCases.map(\.rawValue),
          [
            "listeners": count, "services": count, "certificates": count, "routes": count,
          ]),
      ]),
    "Question": Schema.object(
      "A request that may never be made.", required: ["url"],
      [
        "url": ["type": "string", "format": "uri", "examples": ["https://shop.example.com/orders?x=1"]],
        "method": Schema.text("Its method.", default: "GET"),
        "headers": [
          "type": "object", "additionalProperties": ["type": "string"], "description": "Its fields by name.",
        ],
        "listener": Schema.text("A listener's name, where the URL's port does not say which is meant."),
      ]),
    "CacheZones": ChangeSchemas.answer(
      "What is stored.", ["zones"],
      [
        "zones": Schema.list(
          "By name.",
          of: ChangeSchemas.answer(
            "A zone.", ["zone", "entries", "bytes", "memory", "evictions"],
            [
              "zone": Schema.text("Its name."), "entries": count, "bytes": count, "memory": count,
              "evictions": count, "disk": disk,
            ]))
      ]),
    "Purge": Schema.object(
      "What is to be taken out: one of everything, url, prefix and tag.", required: [],
      [
        "everything": Schema.boolean("All that is stored."),
        "url": Schema.text("As clients ask for it, with scheme and host."),
        "prefix": Schema.text("What such a URL begins with."),
        "tag": Schema.text("A word of the fields that carry tags, such as Surrogate-Key."),
        "zone": Schema.text("In this zone only."),
      ]),
    "Purged": ChangeSchemas.answer("What was taken out.", ["purged"], ["purged": count]),
    "Upgraded": ChangeSchemas.answer(
      "The new process is ready, and this one drains.", ["upgraded"],
      ["upgraded": Schema.boolean("Always true.")]),
    "Readiness": ChangeSchemas.answer(
      "Whether traffic is served.",
      ["ready", "reasons", "draining", "workers", "workersExpected", "listeners"],
      [
        "ready": Schema.boolean("As the status says."),
        "reasons": Schema.list("What keeps it from being ready.", of: ["type": "string"]),
        "draining": Schema.boolean("The process has been told to stop."),
        "workers": count, "workersExpected": count,
        "listeners": Schema.list("Where it listens.", of: ["type": "object"]),
      ]),
    "Endpoints": ChangeSchemas.answer(
      "Figures of services, of all workers together.", ["services"],
      ["services": Schema.list("Services and their endpoints.", of: ["type": "object"])]),
  ]

  private static let count: JSON = ["type": "integer", "minimum": 0]

  private static let disk: JSON = [
    "type": ["object", "null"], "description": "Its files; null: it has none.",
    "properties": [
      "folder": Schema.text("Where they are."), "entries": count, "bytes": count, "size": count,
      "evictions": count,
    ],
  ]
}

extension ResourceKind {
  /// The name of its schema.
  var schemaName: String {
    switch self {
    case .listeners: "Listener"
    case .services: "Service"
    case .certificates: "Certificate"
    case .routes: "Route"
    case .consumers: "Consumer"
    case .plugins: "GlobalPlugin"
    }
  }

  var schemaExample: JSON {
    switch self {
    case .listeners: ListenerSchemas.example
    case .services: ServiceSchemas.example
    case .certificates: CertificateSchemas.example
    case .routes: RouteSchemas.example
    case .consumers: PluginSchemas.consumerExample
    case .plugins: PluginSchemas.globalExample
    }
  }
}
