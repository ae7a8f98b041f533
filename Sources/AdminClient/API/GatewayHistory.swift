import Resources

/// One change, in short.
public struct ChangeSummary: Sendable {
  public var revision: UInt64
  /// RFC 3339, UTC.
  public var time: String
  /// Whose resources: `store`, `file:PATH`.
  public var owner: String
  /// Who asked, where that is known.
  public var actor: String?
  public var message: String?
  /// All that the change touched; ``resources`` are the first of them.
  public var resourceCount: Int
  public var resources: [ChangeReceipt.Result]

  init(_ document: ResourceBody) throws(ClientFailure) {
    revision = try document.required("revision") { $0.number() }
    time = document["time"]?.text ?? ""
    owner = document["owner"]?.text ?? ""
    actor = document["actor"]?.text
    message = document["message"]?.text
    resources = (document["resources"]?.items ?? []).compactMap { item in
      guard let id = item["id"]?.text.flatMap({ ResourceID(path: $0) }) else { return nil }
      return ChangeReceipt.Result(id: id, outcome: TerminalText.line(item["outcome"]?.text ?? ""))
    }
    resourceCount = document["resourceCount"]?.number() ?? resources.count
  }
}

/// What one resource was and became.
public struct ResourceVersions: Sendable {
  public var id: ResourceID
  /// Nil: there was none.
  public var before: ResourceBody?
  /// Nil: there is none any more.
  public var after: ResourceBody?

  public init(id: ResourceID, before: ResourceBody?, after: ResourceBody?) {
    self.id = id
    self.before = before
    self.after = after
  }

  /// All of a list that name a resource.
  static func list(_ document: ResourceBody) -> [ResourceVersions] {
    (document["changes"]?.items ?? []).compactMap { item in
      guard let id = item["id"]?.text.flatMap({ ResourceID(path: $0) }) else { return nil }
      let side = { (name: String) in item[name].flatMap { $0.isNull ? nil : $0 } }
      return ResourceVersions(id: id, before: side("before"), after: side("after"))
    }
  }
}

/// What the stream of changes says.
public enum ChangeEvent: Sendable {
  case change(ChangeSummary)
  /// Changes are missing before this revision.
  case resync(revision: UInt64)

  var revision: UInt64 {
    switch self {
    case .change(let summary): summary.revision
    case .resync(let revision): revision
    }
  }
}

extension GatewayClient {
  /// Newest first.
  ///
  /// - Parameter before: only those of lower revisions.
  public func history(before: UInt64? = nil, limit: Int) async throws(ClientFailure) -> [ChangeSummary] {
    let query: [(name: String, value: String?)] = [
      ("limit", "\(limit)"), ("before", before.map { "\($0)" }),
    ]
    let items = try await document(AdminRequest(.get, "/v1/history", query: query)).required("items") { $0 }
      .items
    var changes: [ChangeSummary] = []
    for item in items { changes.append(try ChangeSummary(item)) }
    return changes
  }

  /// One change with all that it did.
  public func change(
    _ revision: UInt64
  ) async throws(ClientFailure) -> (summary: ChangeSummary, differences: [ResourceVersions]) {
    let document = try await document(AdminRequest(.get, "/v1/history/\(revision)"))
    return (try ChangeSummary(document), ResourceVersions.list(document))
  }

  /// What differs between the store after one revision and after another, by default the last.
  public func difference(
    from: UInt64, to: UInt64?
  ) async throws(ClientFailure) -> [ResourceVersions] {
    let query: [(name: String, value: String?)] = [("from", "\(from)"), ("to", to.map { "\($0)" })]
    return ResourceVersions.list(try await document(AdminRequest(.get, "/v1/diff", query: query)))
  }

  /// Makes the store's resources what they were after a revision.
  public func rollback(
    to revision: UInt64, _ options: ChangeOptions = ChangeOptions()
  ) async throws(ClientFailure) -> ChangeReceipt {
    let content = JSONWriter.object { writer in
      writer.key("revision")
      writer.raw("\(revision)")
      writer.member("message", options.message)
    }
    return try await change(AdminRequest(.post, "/v1/rollback", query: options.query, json: content), options)
  }

  // MARK: Events

  /// The gateway says something at least every few seconds.
  static let silenceMax = Duration.seconds(60)

  /// Changes as they happen, until the connection ends or `body` returns false.
  ///
  /// - Parameter after: begins with the first change after this revision; nil: with the next.
  public func changes(
    after revision: UInt64?, _ body: @escaping @Sendable (ChangeEvent) -> Bool
  ) async throws(ClientFailure) {
    var request = AdminRequest(.get, "/v1/events", query: [("after", revision.map { "\($0)" })])
    request.fields.append(("Accept", "text/event-stream"))
    let reader = ChangeEventReader()
    try await HTTPExchange(address: address, token: token, limits: limits)
      .stream(request, silenceMax: Self.silenceMax) { bytes in reader.feed(bytes, to: body) }
    if let failure = reader.failure { throw failure }
  }
}
