/// Everything that is wrong with a change.
public struct ResourceProblems: Error, Sendable, CustomStringConvertible {
  /// Problems that are kept, if nobody says otherwise.
  public static let countMax = 1_000

  private let limit: Int
  /// Problems beyond the limit that are not listed.
  public private(set) var omitted = 0
  private(set) var findings: [Finding] = []

  /// A problem whose message may name places of other resources, which files show as line and column.
  struct Finding: Sendable {
    enum Part: Sendable {
      case text(String)
      /// Shown as the text, or as line and column where the reader of the message has the file.
      case place(ResourceID, field: String, otherwise: String)
    }

    var id: ResourceID
    /// Whose resource it is; nil where it is not one that is put.
    var owner: ResourceOwner?
    var field: String
    var parts: [Part]
    var hint: String?
    /// Whether it follows from the conditions of two routes.
    var isAboutConditions = false
  }

  /// - Parameter limit: problems that are kept.
  init(limit: Int = countMax) { self.limit = limit }

  /// One problem.
  public init(_ problem: ResourceProblem) {
    self.init([problem], omitted: 0)
  }

  /// Several problems, at least one.
  public init(_ problems: [ResourceProblem], omitted: Int = 0) {
    limit = Self.countMax
    plain = problems
    self.omitted = omitted
  }

  /// Those of a reader, which name no other places.
  private(set) var plain: [ResourceProblem] = []

  var isEmpty: Bool { plain.isEmpty && findings.isEmpty }
  var count: Int { plain.count + findings.count + omitted }
  var isFull: Bool { findings.count + plain.count >= limit }

  mutating func report(_ finding: Finding) {
    if isFull { omitted += 1 } else { findings.append(finding) }
  }

  mutating func omitOne() { omitted += 1 }

  /// At least one.
  public var problems: [ResourceProblem] {
    plain
      + findings.map { ResourceProblem($0.id, field: $0.field, $0.message { _, _ in nil }, hint: $0.hint) }
  }

  /// One line for each problem.
  public var description: String {
    var lines = problems.map(\.description)
    if omitted > 0 { lines.append("… and \(omitted) more") }
    return lines.joined(separator: "\n")
  }
}

extension ResourceProblems.Finding {
  /// - place: line and column of a field, where it is known.
  func message(_ place: (ResourceID, String) -> String?) -> String {
    parts.map { part in
      switch part {
      case .text(let text): text
      case .place(let id, let field, let otherwise): place(id, field) ?? otherwise
      }
    }.joined()
  }
}
