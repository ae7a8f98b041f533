import Resources

/// What the API takes and gives besides resources.
enum ChangeSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "ResourceID": ["type": "string", "description": "Kind and name.", "examples": ["routes/shop"]],
    "Revision": [
      "type": "integer", "minimum": 0, "description": "Grows with every change of any resource.",
      "examples": [17],
    ],
    "Owner": [
      "type": "string", "pattern": "^(store|built-in|file:.+)$",
      "description": "Who owns a resource. The API changes what the store owns.",
      "examples": ["store", "file:/etc/penstock/penstock.yaml"],
    ],
    "Time": ["type": "string", "format": "date-time", "examples": ["2026-03-01T12:00:00.000Z"]],
    "Receipt": answer(
      "What a change came to.", ["revision", "dryRun", "served", "results"],
      [
        "revision": Schema.reference(
          "Revision", "Of the change; where nothing changed, and after a dry run, that of the last before."),
        "dryRun": Schema.boolean("Everything was checked and nothing was changed."),
        "served": Schema.boolean(
          "Every worker serves the change; false where nobody waited for that, or in vain."),
        "results": Schema.list(
          "One for each operation, in their order.", of: Schema.reference("OperationResult")),
      ]),
    "OperationResult": answer(
      "What one operation came to.", ["id", "outcome", "revision"],
      [
        "id": Schema.reference("ResourceID"),
        "outcome": Schema.choice("What was done.", ["created", "replaced", "unchanged", "deleted"]),
        "revision": Schema.reference("Revision", "Of the resource's last change."),
      ]),
    "Transaction": Schema.object(
      "A change of several resources: all of it takes effect, or nothing.", required: ["operations"],
      [
        "message": Schema.text("Why, for the history.", maxLength: TransactionReader.messageBytesMax),
        "operations": Schema.list(
          "Each resource at most once.", of: Schema.reference("Operation"), minimum: 1,
          maximum: TransactionReader.operationsMax),
      ]),
    "Operation": Schema.object(
      "What is to become of one resource.", required: ["op", "kind", "name"],
      [
        "op": Schema.choice("patch is a JSON merge patch (RFC 7396).", ["put", "patch", "delete"]),
        "kind": Schema.choice("Its kind.", ResourceKind.allCases.map(\.rawValue)),
        "name": Schema.reference("Name"),
        "resource": ["type": "object", "description": "With put and patch: as with PUT and PATCH."],
        "ifMatch": Schema.any(
          "What must hold before: *, or revisions as ETags have them.",
          [["type": ["string", "integer"]], Schema.list("Several.", of: ["type": ["string", "integer"]])]),
        "ifNoneMatch": Schema.choice("There must be none of this name.", ["*"]),
      ]),
    "ResourceDocument": Schema.object(
      "Resources as a configuration file has them: each is put.",
      [
        "listeners": Schema.list("Listeners.", of: Schema.reference("Listener")),
        "services": Schema.list("Services.", of: Schema.reference("Service")),
        "certificates": Schema.list("Certificates.", of: Schema.reference("Certificate")),
        "routes": Schema.list("Routes.", of: Schema.reference("Route")),
        "consumers": Schema.list("Consumers.", of: Schema.reference("Consumer")),
        "plugins": Schema.list("Plugins for every request.", of: Schema.reference("GlobalPlugin")),
      ]),
    "ChangeSummary": answer("One change, in short.", summaryRequired, summary),
    "Change": .members([
      "description": "One change with all that it did.",
      "allOf": [
        Schema.reference("ChangeSummary"),
        [
          "type": "object", "required": ["changes"],
          "properties": [
            "changes": Schema.list("By resource.", of: Schema.reference("Difference"))
          ],
        ],
      ],
    ]),
    "ChangedResource": answer(
      "A resource, and what was done.", ["id", "outcome"],
      [
        "id": Schema.reference("ResourceID"),
        "outcome": Schema.choice("What was done.", ["created", "replaced", "unchanged", "deleted"]),
      ]),
    "Difference": answer(
      "What one resource was and became.", ["id", "before", "after"],
      [
        "id": Schema.reference("ResourceID"),
        "before": ["type": ["object", "null"], "description": "null: there was none."],
        "after": ["type": ["object", "null"], "description": "null: it was deleted."],
      ]),
    "Differences": answer(
      "What differs between two revisions.", ["from", "to", "changes"],
      [
        "from": Schema.reference("Revision"), "to": Schema.reference("Revision"),
        "changes": Schema.list("By resource.", of: Schema.reference("Difference")),
      ]),
    "HistoryPage": answer(
      "Changes, newest first.", ["items"],
      [
        "items": Schema.list("Changes.", of: Schema.reference("ChangeSummary")),
        "next": Schema.reference("Revision", "For the parameter before; left out on the last page."),
      ]),
    "Rollback": Schema.object(
      "What the store's resources are to be again.", required: ["revision"],
      [
        "revision": Schema.reference("Revision", "As they were after this one."),
        "message": Schema.text("Why, for the history.", maxLength: TransactionReader.messageBytesMax),
      ]),
    "AuditPage": answer(
      "Who tried what, newest first.", ["items"],
      [
        "items": Schema.list("Entries.", of: Schema.reference("AuditEntry")),
        "next": ["type": "integer", "description": "For the parameter before; left out on the last page."],
      ]),
    "AuditEntry": answer(
      "A request to change something, and what became of it.",
      ["number", "time", "actor", "remote", "action", "outcome"],
      [
        "number": ["type": "integer", "description": "Grows with every entry."],
        "time": Schema.reference("Time"),
        "actor": Schema.text("token, or anonymous where none is configured."),
        "remote": Schema.text("The address that the request came from."),
        "action": Schema.text("What was asked: put routes/shop, transaction of 12, rollback to 17."),
        "outcome": Schema.text("applied or refused."),
        "revision": Schema.reference("Revision", "Of the change, where there was one."),
        "detail": Schema.text("What it was about, or why it was refused."),
      ]),
  ]

  private static let summaryRequired = ["revision", "time", "owner", "resourceCount", "resources"]

  private static let summary: KeyValuePairs<String, JSON> = [
    "revision": Schema.reference("Revision"),
    "time": Schema.reference("Time"),
    "owner": Schema.reference("Owner", "Whose resources were changed."),
    "actor": Schema.text("Who asked, where that is known."),
    "message": Schema.text("Why, where somebody said so."),
    "resourceCount": ["type": "integer", "minimum": 0, "description": "All that the change touched."],
    "resources": Schema.list(
      "The first \(ChangeSummary.resourcesMax) of them.", of: Schema.reference("ChangedResource"),
      maximum: ChangeSummary.resourcesMax),
    "continued": Schema.boolean(
      "Another owner's part of the same revision follows: several files were read together."),
  ]

  /// What the API answers may get more members in later versions.
  static func answer(
    _ description: String, _ required: [String], _ properties: KeyValuePairs<String, JSON>
  ) -> JSON {
    [
      "type": "object", "description": .string(description),
      "properties": .object(properties.map { JSON.Member(name: $0.key, value: $0.value) }),
      "required": .array(required.map(JSON.string)),
    ]
  }
}
