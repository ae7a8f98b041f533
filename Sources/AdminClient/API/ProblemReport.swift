import Resources

/// What the gateway says is wrong with a request (RFC 9457).
public struct ProblemReport: Sendable, Equatable {
  public struct Mistake: Sendable, Equatable {
    /// Nil where no resource can be named.
    public var id: ResourceID?
    /// Which operation of a transaction, from 0.
    public var operation: Int?
    /// Where in the resource: `backends[0].service`; empty where all of it is meant.
    public var field: String
    public var message: String
    /// What would be right, where that is known.
    public var hint: String?

    public init(
      id: ResourceID? = nil, operation: Int? = nil, field: String = "", message: String, hint: String? = nil
    ) {
      self.id = id
      self.operation = operation
      self.field = field
      self.message = message
      self.hint = hint
    }
  }

  public var status: Int
  /// The last part of the problem's type: `not-owned`.
  public var kind: String
  public var title: String
  public var detail: String
  public var mistakes: [Mistake]
  /// Mistakes that the gateway did not list.
  public var omitted: Int

  public init(
    status: Int, kind: String, title: String, detail: String, mistakes: [Mistake] = [], omitted: Int = 0
  ) {
    self.status = status
    self.kind = kind
    self.title = title
    self.detail = detail
    self.mistakes = mistakes
    self.omitted = omitted
  }
}

extension ProblemReport {
  static let mediaType = "application/problem+json"

  /// Nil where the content is no problem document.
  init?(status: Int, content: [UInt8]) {
    guard let document = try? ResourceBody(json: content), let title = document["title"]?.text else {
      return nil
    }
    self.init(
      status: status, kind: document["type"]?.text?.split(separator: "/").last.map(String.init) ?? "",
      title: title, detail: document["detail"]?.text ?? "",
      mistakes: document["errors"]?.items.map(Mistake.init) ?? [],
      omitted: document["errorsOmitted"]?.number() ?? 0)
  }
}

extension ProblemReport.Mistake {
  fileprivate init(_ document: ResourceBody) {
    self.init(
      id: document["id"]?.text.flatMap { ResourceID(path: $0) }, operation: document["operation"]?.number(),
      field: document["field"]?.text ?? "", message: document["detail"]?.text ?? "",
      hint: document["hint"]?.text)
  }

  init(_ problem: ResourceProblem) {
    self.init(
      id: problem.id, operation: problem.operation, field: problem.field, message: problem.message,
      hint: problem.hint)
  }

  /// Everything but the resource: `backends[0].service: no service is named "orders": did you mean …`.
  var text: String { [field, message, hint ?? ""].filter { !$0.isEmpty }.joined(separator: ": ") }
}

extension ProblemReport: CustomStringConvertible {
  /// A line for each mistake; without any, what is wrong as a whole.
  public var description: String {
    var lines = mistakes.map { mistake in (mistake.id.map { "\($0): " } ?? "") + mistake.text }
    if lines.isEmpty { lines = [detail.isEmpty ? title : "\(title): \(detail)"] }
    if omitted > 0 { lines.append("… and \(omitted) more") }
    if let advice { lines.append(advice) }
    return lines.joined(separator: "\n")
  }

  /// What this client offers against it.
  public var advice: String? {
    switch (status, kind) {
    case (401, _): "--token-file FILE, --token TOKEN or PENSTOCK_ADMIN_TOKEN gives the token."
    case (403, _): "--admin takes the address as the gateway's configuration has it."
    case (_, "not-owned"): "What a file owns is changed in the file; see OWNER in `penstock get`."
    case (413, _): "Apply the files in several parts."
    default: nil
    }
  }
}

extension ResourceID {
  /// `routes/shop`, as the API names resources.
  init?(path: String) {
    let parts = path.split(separator: "/", maxSplits: 1)
    guard parts.count == 2, let kind = ResourceKind(rawValue: String(parts[0])) else { return nil }
    self.init(kind, String(parts[1]))
  }
}
