import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Resources
import Runtime

/// What is known of a request besides itself.
struct AdminContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The client's address and port; empty where the socket says none.
  var remote: String

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    let address = source.channel.remoteAddress
    remote = HostPort(host: address?.ipAddress ?? "", port: UInt16(address?.port ?? 0)).description
  }
}

/// Answers requests to the admin address: finds the route, checks who asks, and gives errors their form.
struct AdminResponder: HTTPResponder {
  typealias Context = AdminContext

  let router: AdminRouter
  private let access: AccessControl

  init(routes: [AdminRoute], access: AccessControl) {
    router = AdminRouter(routes: routes)
    self.access = access
  }

  @Sendable func respond(to request: Request, context: AdminContext) async throws -> Response {
    ControlThreads.giveWay()
    let path = request.uri.path
    var response: Response
    do throws(Problem) {
      response = try await answer(request, path, context)
    } catch {
      response = error.response(for: path)
      // What is left of the content is not worth reading.
      if Self.hasContent(request) { response.headers[.connection] = "close" }
    }
    return request.method == .head ? response.createHeadResponse() : response
  }

  private func answer(
    _ request: Request, _ path: String, _ context: AdminContext
  ) async throws(Problem) -> Response {
    let isAPI = path == "/v1" || path.hasPrefix("/v1/")
    // Before anything else: who may not ask does not learn what there is.
    let actor = isAPI ? try access.admit(request) : ""
    switch router.match(request.method, path) {
    case .none:
      guard isAPI else { return .text("There is no such page; see /.\n", status: .notFound) }
      throw Problem(.noSuchPath, "The paths are listed in /openapi.json.")
    case .otherMethods(let methods):
      let list = methods.map(\.rawValue).joined(separator: ", ")
      guard isAPI else { return Self.otherMethods(list) }
      var problem = Problem(.methodNotAllowed, "Here are only \(list).")
      problem.headers[.allow] = list
      throw problem
    case .route(let route, let parameters):
      if route.access == .page { try access.admitPage(request) }
      let call = try Self.call(request, route, parameters, actor: actor, remote: context.remote)
      return try await answer(call, route)
    }
  }

  private func answer(_ call: AdminCall, _ route: AdminRoute) async throws(Problem) -> Response {
    do throws(Problem) {
      let response = try await route.answer(call)
      assert(
        route.statuses.contains(response.status.code),
        "\(route.method) \(route.path.text) does not document \(response.status.code)")
      return response
    } catch {
      assert(
        route.problems.contains(error.kind),
        "\(route.method) \(route.path.text) does not document \(error.kind)")
      throw error
    }
  }

  private static func call(
    _ request: Request, _ route: AdminRoute, _ encoded: [String: Substring], actor: String, remote: String
  ) throws(Problem) -> AdminCall {
    var parameters: [String: String] = [:]
    for (name, text) in encoded {
      guard let value = PercentCoding.decode(text) else {
        throw Problem(.malformedRequest, "The path has a broken escape, or is not UTF-8.")
      }
      parameters[name] = value
    }
    let query: QueryParameters
    if route.access == .api {
      query = try QueryParameters(
        request.uri.query, names: route.operation.queryNames, lists: route.operation.queryLists)
      if let type = route.operation.mediaType, !RequestFields.accepts(type, request.headers) {
        throw Problem(.notAcceptable, "The answer is \(type), which the field Accept excludes.")
      }
    } else {
      query = try QueryParameters(nil, names: [])
    }
    return AdminCall(request: request, parameters: parameters, query: query, actor: actor, remote: remote)
  }

  private static func otherMethods(_ list: String) -> Response {
    var response = Response.text(
      "Only \(list.replacing(", ", with: " and ")) are answered here.\n", status: .methodNotAllowed)
    response.headers[.allow] = list
    return response
  }

  private static func hasContent(_ request: Request) -> Bool {
    request.headers.contains(.transferEncoding) || (request.headers[.contentLength] ?? "0") != "0"
  }
}
