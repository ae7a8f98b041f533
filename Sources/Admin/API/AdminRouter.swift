import HTTPTypes

/// Finds the route of a request. Its list is what the OpenAPI document is made from.
struct AdminRouter: Sendable {
  let routes: [AdminRoute]

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
    for route in routes {
      guard let parameters = route.path.match(segments) else { continue }
      if route.method == wanted { return .route(route, parameters) }
      others += route.method == .get ? [.get, .head] : [route.method]
    }
    return others.isEmpty ? .none : .otherMethods(others)
  }
}
