/// What can go wrong with a request, each with a type that stays the same (RFC 9457 §3.1.1).
enum ProblemKind: String, Sendable, CaseIterable {
  case malformedRequest = "malformed-request"
  case unreadableBody = "unreadable-body"
  case unauthorized
  case forbiddenHost = "forbidden-host"
  case forbiddenOrigin = "forbidden-origin"
  case noSuchPath = "no-such-path"
  case resourceNotFound = "resource-not-found"
  case revisionNotFound = "revision-not-found"
  case methodNotAllowed = "method-not-allowed"
  case notAcceptable = "not-acceptable"
  case notOwned = "not-owned"
  case missingResource = "missing-resource"
  case upgradeInProgress = "upgrade-in-progress"
  case conditionFailed = "condition-failed"
  case bodyTooLarge = "body-too-large"
  case unsupportedMediaType = "unsupported-media-type"
  case invalidResource = "invalid-resource"
  case invalidQuestion = "invalid-question"
  case upgradeFailed = "upgrade-failed"
  case storeUnavailable = "store-unavailable"
  case noAnswer = "no-answer"
  case outcomeUnknown = "outcome-unknown"
  case tooManyStreams = "too-many-streams"
  case tokenLost = "token-lost"

  /// A relative reference: the admin address explains it.
  var type: String { "/problems/\(rawValue)" }

  var status: Int {
    switch self {
    case .malformedRequest, .unreadableBody: 400
    case .unauthorized: 401
    case .forbiddenHost, .forbiddenOrigin: 403
    case .noSuchPath, .resourceNotFound, .revisionNotFound: 404
    case .methodNotAllowed: 405
    case .notAcceptable: 406
    case .notOwned, .missingResource, .upgradeInProgress: 409
    case .conditionFailed: 412
    case .bodyTooLarge: 413
    case .unsupportedMediaType: 415
    case .invalidResource, .invalidQuestion: 422
    case .upgradeFailed: 500
    case .storeUnavailable, .noAnswer, .outcomeUnknown, .tooManyStreams, .tokenLost: 503
    }
  }

  var title: String {
    switch self {
    case .malformedRequest: "The request is malformed"
    case .unreadableBody: "The content cannot be read"
    case .unauthorized: "A token is needed"
    case .forbiddenHost: "This host name is not served"
    case .forbiddenOrigin: "Pages of other sites may not ask"
    case .noSuchPath: "There is no such path"
    case .resourceNotFound: "There is no such resource"
    case .revisionNotFound: "There is no such revision"
    case .methodNotAllowed: "The method is not allowed here"
    case .notAcceptable: "No such representation"
    case .notOwned: "The resource belongs to another source"
    case .missingResource: "A resource of the transaction does not exist"
    case .upgradeInProgress: "An upgrade is under way"
    case .conditionFailed: "The resource is not as expected"
    case .bodyTooLarge: "The content is too large"
    case .unsupportedMediaType: "The content's type is not understood"
    case .invalidResource: "The change is not valid"
    case .invalidQuestion: "The question is not valid"
    case .upgradeFailed: "The upgrade failed"
    case .storeUnavailable: "The store cannot be used now"
    case .noAnswer: "The gateway did not answer in time"
    case .outcomeUnknown: "The outcome is not known"
    case .tooManyStreams: "Too many event streams"
    case .tokenLost: "The token cannot be read"
    }
  }

  /// What the one who gets it can do, for the page behind ``type``.
  var explanation: String {
    switch self {
    case .malformedRequest:
      "A part of the request's line or fields cannot be understood: a parameter that is unknown, repeated or\n"
        + "out of range, a broken escape, a condition that cannot be one. \"detail\" says which."
    case .unreadableBody:
      "The content is no JSON, or no YAML. \"detail\" begins with line and column."
    case .unauthorized:
      "Send the field Authorization: Bearer TOKEN, with the token that admin.token of the configuration\n"
        + "leads to. A file is read anew at each request."
    case .forbiddenHost:
      "Without a token, requests are answered only where the URL's host is localhost, an IP address, or the\n"
        + "configured address: a web page could else reach this address by a host name of its own."
    case .forbiddenOrigin:
      "The request comes from a web page of another site, which may not read or change anything here."
    case .noSuchPath: "The paths are listed in /openapi.json."
    case .resourceNotFound:
      "No source has a resource of this kind and name, or it has been deleted meanwhile."
    case .revisionNotFound:
      "The revision does not exist yet, or it is older than the history that is kept; see /v1/history."
    case .methodNotAllowed: "The field Allow lists the methods. Resources are made with PUT, by name."
    case .notAcceptable:
      "The field Accept excludes what this path answers: application/json, or text/event-stream for events."
    case .notOwned:
      "A configuration file owns the resource, so it is changed there. The API changes what the store owns."
    case .missingResource:
      "An operation of the transaction changes or deletes what does not exist. Nothing was changed."
    case .upgradeInProgress: "A new process is being started already; wait for it."
    case .conditionFailed:
      "If-Match or If-None-Match does not hold: somebody else changed the resource. Read it again, and make\n"
        + "the change on what it is now."
    case .bodyTooLarge:
      "A resource may have 1 MiB, a transaction 64 MiB. Larger changes are made by several transactions."
    case .unsupportedMediaType:
      "Content is application/json or application/yaml, a PATCH's application/merge-patch+json, in UTF-8 and\n"
        + "without a Content-Encoding."
    case .invalidResource:
      "The change is wrong somewhere, and nothing was changed. \"errors\" has each mistake with the resource,\n"
        + "the field, what is wrong, and where it is known, what would be right."
    case .invalidQuestion: "A part of the question cannot be understood; \"errors\" says which."
    case .upgradeFailed:
      "The new process did not become ready, and was ended. This one goes on; \"detail\" has the reason."
    case .storeUnavailable:
      "There is no store, or it cannot be written or read now: a full disk, a locked or damaged database.\n"
        + "What runs goes on. \"detail\" has the reason; /readyz and /v1/status show it too."
    case .noAnswer: "The control plane or the workers are busy or stuck. Nothing was changed. Try again."
    case .outcomeUnknown:
      "The change was handed on, and no answer came in time: it may take effect or not. Read the resource or\n"
        + "the history before trying again."
    case .tooManyStreams: "Each reader of /v1/events holds a connection, and their number is bounded."
    case .tokenLost:
      "admin.token of the configuration leads to a token that cannot be read now. Nobody is let in without\n"
        + "it; traffic is served as before. Put the file in place: it is read again at the next request."
    }
  }
}
