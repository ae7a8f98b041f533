import Resources

/// `/v1/{kind}` and `/v1/{kind}/{name}`.
extension APIOperation {
  static func list(_ kind: ResourceKind) -> APIOperation {
    let item: JSON = [
      "type": "object", "required": ["name", "revision", "owner", "served", "resource"],
      "properties": [
        "name": Schema.reference("Name"), "revision": Schema.reference("Revision"),
        "owner": Schema.reference("Owner"),
        "served": Schema.boolean("Whether workers have it: the store may have what files speak against."),
        "reason": Schema.text("Why it is not served."),
        "resource": Schema.reference(kind.schemaName),
      ],
    ]
    var parameters = [
      query("limit", "Items of a page.", range(1, ResourceHandlers.pageMax, ResourceHandlers.pageDefault)),
      query("after", "Begins after this name.", string),
      query("name", "Only names that begin with this.", string),
    ]
    if kind == .routes || kind == .certificates {
      parameters.append(query("host", "Only those that list exactly this host.", string))
    }
    if [.services, .routes, .consumers, .plugins].contains(kind) {
      let meaning =
        kind == .routes
        ? "Only those that have this service as a backend, or whose plugins name it."
        : "Only those whose plugins name this service."
      parameters.append(query("service", meaning, string))
    }
    parameters.append(
      query("owner", "Only those of this owner: store, built-in, file (any), or file:PATH.", string))
    return APIOperation(
      id: "list\(kind.title)", tag: kind.rawValue, summary: "List \(kind.rawValue) by name.",
      parameters: parameters,
      answers: [
        Answer(
          status: 200, description: "A page.", mediaType: "application/json",
          schema: ChangeSchemas.answer(
            "A page.", ["items"],
            [
              "items": Schema.list("By name.", of: item),
              "next": Schema.text("For the parameter after; left out on the last page."),
            ]),
          example: [
            "items": [
              [
                "name": "shop", "revision": 17, "owner": "store", "served": true,
                "resource": kind.schemaExample.withoutSecrets,
              ]
            ],
            "next": "shop",
          ], fields: [.revision, .link])
      ],
      problems: [.storeUnavailable, .noAnswer])
  }

  static func read(_ kind: ResourceKind) -> APIOperation {
    APIOperation(
      id: "get\(kind.schemaName)", tag: kind.rawValue, summary: "Read one of the \(kind.rawValue).",
      description: "Complete, with every default, as PUT takes it; a private key is never in it.",
      parameters: [
        header("If-None-Match", "304 where the resource still has this ETag."),
        header("If-Match", "412 where it has another one."),
      ],
      answers: [
        Answer(
          status: 200, description: "The resource.", mediaType: "application/json",
          schema: Schema.reference(kind.schemaName), example: kind.schemaExample.withoutSecrets,
          fields: [.entityTag, .revision, .owner, .unserved]),
        Answer(
          status: 304, description: "It has not changed.", fields: [.entityTag, .revision, .owner]),
      ],
      problems: [.resourceNotFound, .conditionFailed, .storeUnavailable, .noAnswer])
  }

  static func put(_ kind: ResourceKind) -> APIOperation {
    APIOperation(
      id: "put\(kind.schemaName)", tag: kind.rawValue,
      summary: "Make one of the \(kind.rawValue), or replace it whole.",
      parameters: changeParameters,
      body: Body(
        mediaTypes: RequestContent.documentTypes, schema: Schema.reference(kind.schemaName),
        example: kind.schemaExample),
      answers: receipts(created: true), problems: singleProblems + contentProblems)
  }

  static func patch(_ kind: ResourceKind) -> APIOperation {
    APIOperation(
      id: "patch\(kind.schemaName)", tag: kind.rawValue, summary: "Change one of the \(kind.rawValue).",
      description: "A JSON merge patch (RFC 7396): null removes a key, and lists are replaced whole.",
      parameters: changeParameters,
      body: Body(
        mediaTypes: [RequestContent.mergePatch],
        schema: ["type": "object", "description": "Keys that are to change."],
        example: kind == .listeners ? ["proxyProtocol": true] : nil),
      answers: receipts(created: false), problems: singleProblems + contentProblems)
  }

  static func delete(_ kind: ResourceKind) -> APIOperation {
    APIOperation(
      id: "delete\(kind.schemaName)", tag: kind.rawValue, summary: "Delete one of the \(kind.rawValue).",
      description: "Refused while others refer to it.", parameters: changeParameters,
      answers: receipts(created: false), problems: singleProblems)
  }

  // MARK: Parts

  static let string: JSON = ["type": "string"]
  static let number: JSON = ["type": "integer", "minimum": 0]

  static func range(_ first: Int, _ last: Int, _ default: Int) -> JSON {
    [
      "type": "integer", "minimum": .number(first), "maximum": .number(last), "default": .number(`default`),
    ]
  }

  static func query(
    _ name: String, _ description: String, _ schema: JSON, isList: Bool = false
  ) -> Parameter {
    Parameter(name: name, place: .query, description: description, schema: schema, isList: isList)
  }

  static func header(_ name: String, _ description: String) -> Parameter {
    Parameter(name: name, place: .header, description: description, schema: string)
  }

  static let dryRun = query(
    "dryRun", "Everything is checked, and nothing is changed.", ["type": "boolean", "default": false])
  static let prefer = header(
    "Prefer",
    "wait, or wait=SECONDS (RFC 7240): the answer comes when every worker serves the change, or with 202 "
      + "when the time has passed; at most \(ResourceHandlers.waitMax.components.seconds).")
  static let message = query("message", "Why, for the history.", ["type": "string", "maxLength": 1_024])

  private static let changeParameters = [
    dryRun, message, prefer,
    header("If-Match", "The resource's ETag, or *: it must be there, and be the one that was read."),
    header("If-None-Match", "*: there must be none of this name."),
  ]

  static let refusals: [ProblemKind] = [
    .notOwned, .conditionFailed, .invalidResource, .storeUnavailable, .outcomeUnknown,
  ]
  static let contentProblems: [ProblemKind] = [.unreadableBody, .bodyTooLarge, .unsupportedMediaType]
  private static let singleProblems: [ProblemKind] = [.resourceNotFound] + refusals

  static func receipts(created: Bool, of subject: String = "The change", isSingle: Bool = true) -> [Answer] {
    func answer(_ status: Int, _ description: String, _ fields: [AnswerField]) -> Answer {
      Answer(
        status: status, description: description, mediaType: "application/json",
        schema: Schema.reference("Receipt"),
        example: [
          "revision": 18, "dryRun": false, "served": .boolean(status != 202),
          "results": [
            ["id": "routes/shop", "outcome": status == 201 ? "created" : "replaced", "revision": 18]
          ],
        ], fields: fields)
    }
    let tag: [AnswerField] = isSingle ? [.entityTag] : []
    var answers = [
      answer(
        200, "\(subject) is durable, or nothing had to be done.", tag + [.revision, .preferenceApplied]),
      answer(
        202, "\(subject) is durable; not every worker served it within the time of Prefer.",
        tag + [.revision] + (created ? [.location] : [])),
    ]
    if created {
      answers.insert(
        answer(201, "The resource was made.", tag + [.revision, .location, .preferenceApplied]), at: 1)
    }
    return answers
  }
}

extension ResourceKind {
  /// `Routes`.
  fileprivate var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

extension JSON {
  /// As an answer shows it.
  fileprivate var withoutSecrets: JSON {
    guard case .object(let members) = self else { return self }
    return .object(members.filter { $0.name != "key" })
  }
}
