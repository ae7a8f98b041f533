import Resources

/// What files say is to be changed, and where they say it.
///
/// Files hold `listeners`, `services`, `certificates` and `routes` as configuration files do, or a list
/// of `operations` as the API takes it.
public struct ChangeDocuments: Sendable {
  /// Where a change is written.
  private struct Origin: Sendable {
    var file: String
    /// As it is written, so without what was read from other files.
    var body: ResourceBody?

    func place(of field: String) -> String {
      guard let position = body?.position(of: field) else { return file }
      return "\(file):\(position.line):\(position.column)"
    }
  }

  public private(set) var changes: [ResourceChange] = []
  /// That of the last file that has one.
  public private(set) var message: String?
  private let readsCertificates: Bool
  private var origins: [Origin] = []
  private var places: [ResourceID: Int] = [:]

  private init(readsCertificates: Bool) { self.readsCertificates = readsCertificates }

  /// Reads files, directories and standard input (`-`). PEM files that certificates name are read as
  /// well, and their text takes the place of the path: the gateway may be elsewhere.
  ///
  /// - Parameter readsCertificates: false leaves the paths, where nothing but names matters.
  public static func read(
    _ paths: [String], readsCertificates: Bool = true
  ) throws(ClientFailure) -> ChangeDocuments {
    var documents = ChangeDocuments(readsCertificates: readsCertificates)
    var mistakes: [String] = []
    for document in try DocumentFiles.read(paths) { documents.take(document, &mistakes) }
    guard mistakes.isEmpty else { throw .usage(mistakes.joined(separator: "\n")) }
    return documents
  }

  /// Deletions of the same resources, those that refer to others first.
  public var deletions: [ResourceChange] {
    changes.map(\.id).sorted(by: >).map { ResourceChange($0, .delete) }
  }

  /// The place in the files of a change, for headings: `shop.yaml:12:5`.
  public func place(of id: ResourceID) -> String? { places[id].map { origins[$0].place(of: "") } }

  private mutating func take(_ document: DocumentFiles.Document, _ mistakes: inout [String]) {
    let root: ResourceBody
    do throws(ResourceProblem) {
      root = try Self.parse(document)
    } catch {
      // The message begins with line and column.
      mistakes.append("\(document.name):" + error.description)
      return
    }
    do throws(TransactionRefusal) {
      let (operations, message) = try TransactionReader.read(root)
      if let message { self.message = message }
      for operation in operations { take(operation, of: document, &mistakes) }
    } catch {
      let origin = Origin(file: document.name, body: root)
      mistakes += error.problems.map { problem in
        "\(origin.place(of: problem.field)): \(ProblemReport.Mistake(problem).text)"
      }
    }
  }

  private static func parse(_ document: DocumentFiles.Document) throws(ResourceProblem) -> ResourceBody {
    if document.isJSON { return try ResourceBody(json: document.content) }
    guard let text = String(validating: document.content, as: UTF8.self) else {
      throw ResourceProblem(nil, "1:1: the text is not UTF-8")
    }
    return try ResourceBody(yaml: text)
  }

  private mutating func take(
    _ operation: ResourceOperation, of document: DocumentFiles.Document, _ mistakes: inout [String]
  ) {
    var change: ResourceChange
    var body: ResourceBody?
    switch operation.action {
    case .put(let resource): (change, body) = (ResourceChange(operation.id, .put(resource)), resource)
    case .patch(let patch): (change, body) = (ResourceChange(operation.id, .patch(patch)), patch)
    case .delete: change = ResourceChange(operation.id, .delete)
    }
    change.condition = operation.condition
    let origin = Origin(file: document.name, body: body)
    if let first = places[operation.id] {
      mistakes.append(
        "\(origin.place(of: "")): \(operation.id) is already in \(origins[first].place(of: ""))")
      return
    }
    if let body, readsCertificates, operation.id.kind == .certificates {
      do throws(CertificateFiles.Failure) {
        let whole = try CertificateFiles.inline(body, folder: document.folder)
        if case .patch = change.action { change.action = .patch(whole) } else { change.action = .put(whole) }
      } catch {
        mistakes.append("\(origin.place(of: error.field)): \(operation.id): \(error.field): \(error.message)")
        return
      }
    }
    places[operation.id] = changes.count
    changes.append(change)
    origins.append(origin)
  }

  // MARK: Refusals

  /// What `work` gives; a refusal says where in the files the mistakes are.
  public func locating<Value>(
    _ work: () async throws(ClientFailure) -> Value
  ) async throws(ClientFailure) -> Value {
    do throws(ClientFailure) {
      return try await work()
    } catch {
      guard case .refused(let problem) = error else { throw error }
      throw .usage(located(problem))
    }
  }

  /// What the gateway found wrong, each mistake with its place in the files.
  func located(_ problem: ProblemReport) -> String {
    guard !problem.mistakes.isEmpty else { return problem.description }
    var lines = problem.mistakes.map { mistake in
      let index = mistake.id.flatMap { places[$0] } ?? mistake.operation
      let place = index.flatMap { origins.indices.contains($0) ? origins[$0].place(of: mistake.field) : nil }
      return [place, mistake.id?.description, mistake.text].compactMap { $0 }.joined(separator: ": ")
    }
    if problem.omitted > 0 { lines.append("… and \(problem.omitted) more") }
    if let advice = problem.advice { lines.append(advice) }
    return lines.joined(separator: "\n")
  }
}
