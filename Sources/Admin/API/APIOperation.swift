/// What one route takes and gives, for the router and for the OpenAPI document.
struct APIOperation: Sendable {
  struct Parameter: Sendable {
    enum Place: String, Sendable { case query, header, path }
    var name: String
    var place: Place
    var description: String
    var schema: JSON
    var isList = false
    var isRequired = false
  }

  struct Body: Sendable {
    /// The first is the one that a request without `Content-Type` means.
    var mediaTypes: [String]
    var schema: JSON
    var example: JSON?
    var isRequired = true
  }

  /// What a route answers where nothing is wrong.
  struct Answer: Sendable {
    var status: Int
    var description: String
    var mediaType: String?
    var schema: JSON?
    var example: JSON?
    /// Names of fields that it has; see ``AnswerField``.
    var fields: [AnswerField] = []
  }

  /// Unique: what generated clients call it.
  var id: String
  var tag: String
  var summary: String
  var description: String?
  var parameters: [Parameter] = []
  var body: Body?
  var answers: [Answer]
  var problems: [ProblemKind] = []

  var queryNames: [String] { parameters.filter { $0.place == .query }.map(\.name) }
  var queryLists: Set<String> { Set(parameters.filter(\.isList).map(\.name)) }
  /// What it answers with, for `Accept`; nil where no answer has content.
  var mediaType: String? { answers.lazy.compactMap(\.mediaType).first }
}

/// Fields of answers that the document explains.
enum AnswerField: String, Sendable, CaseIterable {
  case entityTag = "ETag"
  case location = "Location"
  case revision = "Penstock-Revision"
  case owner = "Penstock-Owner"
  case unserved = "Penstock-Unserved"
  case preferenceApplied = "Preference-Applied"
  case link = "Link"

  var description: String {
    switch self {
    case .entityTag: "The revision of the resource's last change, in quotes: for If-Match and If-None-Match."
    case .location: "The resource's path."
    case .revision: "The revision that the answer was made from; of a change, the one that it got."
    case .owner: "Who owns the resource: store, file:PATH or built-in."
    case .unserved: "Why it is not served, though the store has it; missing where it is served."
    case .preferenceApplied: "wait: every worker serves the change."
    case .link: "With rel=next, the next page."
    }
  }

  var example: JSON {
    switch self {
    case .entityTag: "\"17\""
    case .location: "/v1/routes/shop"
    case .revision: "17"
    case .owner: "store"
    case .unserved: "services/shop: name: the name is taken by the file /etc/penstock/penstock.yaml"
    case .preferenceApplied: "wait"
    case .link: "</v1/routes?limit=100&after=shop>; rel=\"next\""
    }
  }
}
