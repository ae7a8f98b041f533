import Foundation
import Resources

/// How the API's values look as JSON. Schemas: `OpenAPI/HistorySchemas.swift`.
extension ResourceOwner {
  /// As answers and filters have it: `store`, `file:PATH`, `built-in`.
  var word: String {
    switch self {
    case .store: "store"
    case .file(let path): "file:\(path)"
    case .builtIn: "built-in"
    }
  }
}

extension ResourceFilter.Owner {
  /// Nil for what is no owner: `file` is any file.
  init?(word: String) {
    switch word {
    case "store": self = .exactly(.store)
    case "built-in": self = .exactly(.builtIn)
    case "file": self = .anyFile
    default:
      guard word.hasPrefix("file:"), word.utf8.count > 5 else { return nil }
      self = .exactly(.file(String(word.dropFirst(5))))
    }
  }
}

extension ResourceView {
  /// An item of a page: the resource as a PUT would send it, and what is known about it.
  var document: JSON {
    .members([
      "name": .string(id.name), "revision": .number(revision), "owner": .string(owner.word),
      "served": .boolean(unserved == nil), "reason": .optional(unserved), "resource": .raw(json),
    ])
  }
}

extension TransactionReceipt {
  func document(isDryRun: Bool) -> JSON {
    [
      "revision": .number(revision), "dryRun": .boolean(isDryRun), "served": .boolean(isServed),
      "results": .array(
        results.map { result in
          [
            "id": .string(result.id.description), "outcome": .string(result.outcome.rawValue),
            "revision": .number(result.revision),
          ]
        }),
    ]
  }
}

extension ChangeSummary {
  var document: JSON { .object(members) }

  fileprivate var members: [JSON.Member] {
    let document = JSON.members([
      "revision": .number(revision),
      "time": .string(timestamp(milliseconds)),
      "owner": .string(owner.word),
      "actor": .optional(actor),
      "message": .optional(message),
      "resourceCount": .number(resourceCount),
      "resources": .array(
        resources.prefix(Self.resourcesMax).map {
          ["id": .string($0.id.description), "outcome": .string($0.outcome.rawValue)]
        }),
      "continued": isContinued ? .boolean(true) : nil,
    ])
    guard case .object(let members) = document else { return [] }
    return members
  }
}

extension ResourceDifference {
  var document: JSON {
    [
      "id": .string(id.description), "before": before.map(JSON.raw) ?? .null,
      "after": after.map(JSON.raw) ?? .null,
    ]
  }
}

extension ChangeRecord {
  var document: JSON {
    .object(
      summary.members + [
        JSON.Member(name: "changes", value: .array(differences.map(\.document)))
      ])
  }
}

extension AuditEntry {
  var document: JSON {
    .members([
      "number": .number(number),
      "time": .string(timestamp(milliseconds)),
      "actor": .string(actor),
      "remote": .string(remote),
      "action": .string(action),
      "outcome": .string(outcome),
      "revision": revision.map { .number($0) },
      "detail": .optional(detail),
    ])
  }
}

extension ResourceStatus {
  /// - Parameter version: of the program.
  func document(version: String) -> JSON {
    let store: JSON =
      switch self.store {
      case .none: ["state": "none"]
      case .writable: ["state": "writable"]
      case .unavailable(let reason): ["state": "unavailable", "reason": .string(reason)]
      }
    return [
      "version": .string(version), "pid": .number(Int(ProcessInfo.processInfo.processIdentifier)),
      "revision": .number(revision), "servedRevision": .number(servedRevision),
      "store": store,
      "unserved": .number(unservedCount),
      "owners": .array(
        owners.map { owner in
          [
            "owner": .string(owner.owner.word),
            "resources": .object(
              ResourceKind.allCases.map {
                JSON.Member(name: $0.rawValue, value: .number(owner.counts[$0] ?? 0))
              }),
          ]
        }),
    ]
  }
}

/// RFC 3339 in UTC, with milliseconds.
private func timestamp(_ milliseconds: Int64) -> String {
  Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
    .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}
