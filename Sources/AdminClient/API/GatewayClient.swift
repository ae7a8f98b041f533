import Resources

/// The admin API of one gateway.
///
/// Each call is a connection of its own; calls may be made at once, from any task. All of them throw
/// ``ClientFailure``, with what the gateway said where it refused.
public struct GatewayClient: Sendable {
  public let address: AdminAddress
  let token: String?
  /// The gateway waits up to 20 s for its workers.
  var limits = ExchangeLimits()

  /// - Parameter token: nil where the gateway asks for none.
  public init(address: AdminAddress, token: String? = nil) {
    self.address = address
    self.token = token
  }

  // MARK: Resources

  /// One page of a kind's resources, by name.
  ///
  /// - Parameter after: ``ResourcePage/next`` of the page before.
  public func page(
    _ kind: ResourceKind, filter: ResourceFilter = ResourceFilter(), after: String? = nil,
    limit: Int = pageLimit
  ) async throws(ClientFailure) -> ResourcePage {
    let query: [(name: String, value: String?)] = [
      ("limit", "\(limit)"), ("name", filter.prefix), ("host", filter.host),
      ("service", filter.service), ("owner", filter.owner), ("after", after),
    ]
    let document = try await document(AdminRequest(.get, "/v1/\(kind.rawValue)", query: query))
    return ResourcePage(
      items: try document.required("items") { $0 }.items.map { item throws(ClientFailure) in
        try RemoteResource(item, kind: kind)
      },
      next: document["next"]?.text)
  }

  /// All pages of a kind's resources.
  public func resources(
    _ kind: ResourceKind, filter: ResourceFilter = ResourceFilter()
  ) async throws(ClientFailure) -> [RemoteResource] {
    var resources: [RemoteResource] = []
    var after: String?
    repeat {
      let page = try await page(kind, filter: filter, after: after)
      resources += page.items
      // A gateway that sent the same place again would never be done.
      if let next = page.next, let last = after, next <= last {
        throw .malformedAnswer("the next page begins before the last")
      }
      after = page.next
    } while after != nil
    return resources
  }

  /// As many as the API gives at once.
  public static let pageLimit = 1_000

  /// Nil where there is none of this name.
  public func resource(_ id: ResourceID) async throws(ClientFailure) -> RemoteResource? {
    // By the list: its items have owner and revision beside the resource.
    var filter = ResourceFilter()
    filter.prefix = id.name
    return try await page(id.kind, filter: filter, limit: 1).items.first { $0.id == id }
  }

  /// Makes a change, all of it or nothing.
  public func apply(
    _ changes: [ResourceChange], _ options: ChangeOptions = ChangeOptions()
  ) async throws(ClientFailure) -> ChangeReceipt {
    let content = JSONWriter.object { writer in
      writer.member("message", options.message)
      writer.key("operations")
      writer.list(changes) { writer, change in change.write(to: &writer) }
    }
    return try await change(
      AdminRequest(.post, "/v1/transactions", query: options.query, json: content), options)
  }

  func change(
    _ request: AdminRequest, _ options: ChangeOptions
  ) async throws(ClientFailure) -> ChangeReceipt {
    var request = request
    if options.waits { request.fields.append(("Prefer", "wait")) }
    // A batch of 10,000 certificates is parsed and checked before the gateway begins to wait.
    return try ChangeReceipt(try await document(request, timeout: .seconds(120)))
  }

  // MARK: Exchange

  /// The content of an answer that is a success, as JSON.
  func document(
    _ request: AdminRequest, timeout: Duration? = nil
  ) async throws(ClientFailure) -> ResourceBody {
    var limits = limits
    if let timeout { limits.timeout = max(timeout, limits.timeout) }
    let answer = try await HTTPExchange(address: address, token: token, limits: limits).send(request)
    guard (200..<300).contains(answer.status) else { throw answer.failure }
    guard answer.mediaType == "application/json" else {
      throw .malformedAnswer(
        "the content is \(answer.mediaType.isEmpty ? "without a type" : answer.mediaType)")
    }
    do throws(ResourceProblem) {
      return try ResourceBody(json: answer.content)
    } catch {
      throw .malformedAnswer(error.description)
    }
  }
}

extension Sequence {
  /// `map` with a typed error.
  fileprivate func map<Value>(
    _ transform: (Element) throws(ClientFailure) -> Value
  ) throws(ClientFailure) -> [Value] {
    var values: [Value] = []
    for element in self { values.append(try transform(element)) }
    return values
  }
}
