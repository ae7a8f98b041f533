import HTTPTypes

/// Finds the route of a request. Its list is what the OpenAPI document is made from.
struct AdminRouter: Sendable {
  let routes: [AdminRoute]
  /// Their places, by the number of segments of their paths.
  private let places: [Int: [Int]]

  init(routes: [AdminRoute]) {
    self.routes = routes
    places = Dictionary(grouping: routes.indices) { routes[$0].path.segmentCount }
  }

  enum Match: Sendable {
    /// With the parameters of the path, still encoded.
    case route(AdminRoute, [String: Substring])
    /// The path is right; these are its methods.
    case otherMethods([HTTPRequest.Method])
    case none
  }

  /// - Parameter path: as it came, without the query.
  func match(_ method: HTTPRequest.Method, _ path: String) -> Match {
    let segments = path.split(separator: "/", omittingEmptySubsequences: false)
    // HEAD is GET without the content (RFC 9110 §9.3.2).
    let wanted = method == .head ? .get : method
    var others: [HTTPRequest.Method] = []
    for place in places[segments.count] ?? [] {
      guard let parameters = routes[place].path.match(segments) else { continue }
      let method = routes[place].method
      if method == wanted { return .route(routes[place], parameters) }
      others += method == .get ? [.get, .head] : [method]
    }
    return others.isEmpty ? .none : .otherMethods(others)
  }
}
