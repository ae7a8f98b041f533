import Resources

/// Transactions, history and what else there is under `/v1`.
extension APIOperation {
  static let transaction = APIOperation(
    id: "applyTransaction", tag: "changes",
    summary: "Change several resources: all of them, or none.",
    description: "A list of operations, or resources as a configuration file has them, each of which is put.",
    parameters: [dryRun, message, prefer],
    body: Body(
      mediaTypes: RequestContent.documentTypes,
      schema: ["oneOf": [Schema.reference("Transaction"), Schema.reference("ResourceDocument")]],
      example: [
        "message": "a new shop",
        "operations": [
          ["op": "put", "kind": "services", "name": "shop", "resource": ["endpoints": ["10.0.0.1:80"]]],
          [
            "op": "patch", "kind": "routes", "name": "shop", "ifMatch": "17",
            "resource": ["service": "shop"],
          ],
          ["op": "delete", "kind": "services", "name": "old"],
        ],
      ]),
    answers: receipts(created: false, isSingle: false),
    problems: [.missingResource] + refusals + contentProblems)

  static let history = APIOperation(
    id: "listHistory", tag: "history", summary: "List changes, newest first.",
    parameters: historyPage("Only revisions below this one."),
    answers: [json("A page.", "HistoryPage")], problems: [.storeUnavailable, .noAnswer])

  static let change = APIOperation(
    id: "getChange", tag: "history", summary: "Read one change with all that it did.",
    answers: [json("The change.", "Change")], problems: [.revisionNotFound, .storeUnavailable, .noAnswer])

  static let difference = APIOperation(
    id: "getDifference", tag: "history", summary: "Compare the store's resources at two revisions.",
    parameters: [
      Parameter(
        name: "from", place: .query, description: "The older revision.", schema: number, isRequired: true),
      query("to", "The newer revision; where this is left out, the last.", number),
    ],
    answers: [json("What differs.", "Differences")],
    problems: [.revisionNotFound, .storeUnavailable, .noAnswer])

  static let rollback = APIOperation(
    id: "rollback", tag: "history",
    summary: "Make the store's resources what they were after a revision.",
    description: "This is a change of its own, with a revision of its own.",
    parameters: [dryRun, prefer],
    body: Body(
      mediaTypes: [RequestContent.json], schema: Schema.reference("Rollback"),
      example: ["revision": 17, "message": "the new shop does not work"]),
    answers: receipts(created: false, of: "The rollback", isSingle: false),
    problems: [.revisionNotFound, .invalidQuestion, .noAnswer] + refusals + contentProblems)

  static let audit = APIOperation(
    id: "listAudit", tag: "history", summary: "List who tried what, newest first.",
    parameters: historyPage("Only entries below this number."),
    answers: [json("A page.", "AuditPage")], problems: [.storeUnavailable, .noAnswer])

  static let events = APIOperation(
    id: "streamEvents", tag: "history", summary: "Follow changes as server-sent events.",
    description:
      "Events are \"change\", whose data is a ChangeSummary, and \"resync\", whose data is {\"revision\": N}: "
      + "changes are missing, so everything has to be read again. The id is the revision.",
    parameters: [
      query("after", "Begins after this revision; where this is left out, with the next change.", number),
      header("Last-Event-ID", "The same, as browsers send it when they come back."),
    ],
    answers: [
      Answer(
        status: 200, description: "A stream without an end.", mediaType: "text/event-stream", schema: string)
    ],
    problems: [.tooManyStreams, .noAnswer])

  static let explainQuery = APIOperation(
    id: "explainURL", tag: "operation", summary: "Say what a request would get, and why.",
    parameters: [
      Parameter(
        name: "url", place: .query, description: "The request's URL.", schema: string, isRequired: true),
      query("method", "Its method.", ["type": "string", "default": "GET"]),
      query("header", "A field, as NAME: VALUE; may be repeated.", string, isList: true),
      query("listener", "A listener's name, where the URL's port does not say which is meant.", string),
    ],
    answers: [json("The explanation.", "Explanation")], problems: [.invalidQuestion, .noAnswer])

  static let explain = APIOperation(
    id: "explain", tag: "operation", summary: "Say what a request would get, and why.",
    body: Body(
      mediaTypes: [RequestContent.json], schema: Schema.reference("Question"),
      example: ["url": "https://shop.example.com/orders", "method": "POST", "headers": ["X-Beta": "1"]]),
    answers: [json("The explanation.", "Explanation")],
    problems: [.invalidQuestion, .noAnswer] + contentProblems)

  static let upgrade = APIOperation(
    id: "upgrade", tag: "operation", summary: "Start the new binary, and drain this process.",
    description: "No connection is refused or cut. Answers when the new process is ready.",
    answers: [json("The new process serves.", "Upgraded")],
    problems: [.upgradeInProgress, .upgradeFailed, .outcomeUnknown])

  static let cache = APIOperation(
    id: "getCache", tag: "operation", summary: "Say what the plugin cache has stored, by zone.",
    answers: [json("The zones.", "CacheZones")])

  static let purgeCache = APIOperation(
    id: "purgeCache", tag: "operation", summary: "Take stored responses out.",
    description: "One of everything, url, prefix and tag. What is being fetched is not stored afterwards either.",
    body: Body(
      mediaTypes: [RequestContent.json], schema: Schema.reference("Purge"),
      example: ["url": "https://shop.example.com/list?page=2"]),
    answers: [json("How many there were.", "Purged")], problems: [.invalidQuestion] + contentProblems)

  static let status = APIOperation(
    id: "getStatus", tag: "operation", summary: "Read the revision, the owners and the state of the store.",
    answers: [json("The status.", "Status", fields: [.revision])], problems: [.noAnswer])

  // MARK: Pages

  static let index = page("index", "List the pages.", "text/plain")
  static let health = page("health", "200 while the process is alive.", "text/plain")
  static let metrics = page("metrics", "Counters in Prometheus's text format.", "text/plain", busy: true)
  static let configuration = page(
    "configuration", "The configuration that runs now.", "application/yaml", busy: true)
  static let endpoints = page(
    "endpoints", "Services and their endpoints.", "application/json", busy: true, schema: "Endpoints")
  static let openAPI = APIOperation(
    id: "openAPI", tag: "pages", summary: "This document.",
    answers: [
      Answer(
        status: 200, description: "The document.", mediaType: "application/json",
        schema: ["type": "object", "description": "OpenAPI 3.1."])
    ])

  static let readiness = APIOperation(
    id: "readiness", tag: "pages", summary: "Whether traffic is served.",
    answers: [
      json("It is.", "Readiness"),
      Answer(
        status: 503, description: "It is not, or the workers do not answer.", mediaType: "application/json",
        schema: Schema.reference("Readiness")),
    ])

  static let problem = APIOperation(
    id: "problem", tag: "pages", summary: "Explain a type of problem.",
    answers: [
      Answer(status: 200, description: "The explanation.", mediaType: "text/plain", schema: string),
      Answer(status: 404, description: "There is no such type.", mediaType: "text/plain", schema: string),
    ])

  // MARK: Parts

  private static func json(
    _ description: String, _ schema: String, fields: [AnswerField] = []
  ) -> Answer {
    Answer(
      status: 200, description: description, mediaType: "application/json",
      schema: Schema.reference(schema), fields: fields)
  }

  private static func page(
    _ id: String, _ summary: String, _ type: String, busy: Bool = false, schema: String? = nil
  ) -> APIOperation {
    var answers = [
      Answer(
        status: 200, description: summary, mediaType: type,
        schema: schema.map { Schema.reference($0) } ?? string)
    ]
    if busy {
      answers.append(
        Answer(
          status: 503, description: "The workers do not answer.", mediaType: "text/plain", schema: string))
    }
    return APIOperation(id: id, tag: "pages", summary: summary, answers: answers)
  }

  private static func historyPage(_ before: String) -> [Parameter] {
    [
      query("limit", "Items of a page.", range(1, HistoryHandlers.pageMax, HistoryHandlers.pageDefault)),
      query("before", before, number),
    ]
  }
}
