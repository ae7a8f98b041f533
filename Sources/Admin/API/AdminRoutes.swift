import DataPlane
import Hummingbird
import Resources

/// Every route of the admin address, made once for a server.
struct AdminRoutes: Sendable {
  let pages: StandardPages
  let resources: ResourceHandlers
  let history: HistoryHandlers
  let operations: OperationHandlers
  let events: EventStreams
  let calls: BackendCalls

  init(gateway: any AdminBackend, resources: any ResourceBackend, limits: AdminServer.Limits) {
    calls = BackendCalls(
      backend: resources, timeout: limits.backendTimeout, changeTimeout: limits.changeTimeout)
    pages = StandardPages(gateway, timeout: limits.backendTimeout)
    self.resources = ResourceHandlers(calls: calls)
    history = HistoryHandlers(calls: calls)
    operations = OperationHandlers(calls: calls, gateway: gateway)
    events = EventStreams(streamsMax: limits.eventStreams, heartbeat: limits.heartbeat)
  }

  /// With the document that describes them.
  var all: [AdminRoute] {
    let routes = pageRoutes + ResourceKind.allCases.flatMap(resourceRoutes) + changeRoutes + otherRoutes
    let itself = AdminRoute(.get, "/openapi.json", .everyone, .openAPI) { _ throws(Problem) in
      .text("", status: .ok)
    }
    let document = OpenAPIDocument.make(routes + [itself]).text + "\n"
    return routes + [
      AdminRoute(.get, "/openapi.json", .everyone, .openAPI) { _ throws(Problem) in
        .text(document, type: RequestContent.json)
      }
    ]
  }

  private var pageRoutes: [AdminRoute] {
    let pages = pages
    return [
      AdminRoute(.get, "/", .everyone, .index) { _ throws(Problem) in .text(StandardPages.index) },
      AdminRoute(.get, "/healthz", .everyone, .health) { _ throws(Problem) in .text("ok\n") },
      AdminRoute(.get, "/readyz", .everyone, .readiness) { _ throws(Problem) in await pages.readiness() },
      AdminRoute(.get, "/metrics", .everyone, .metrics) { _ throws(Problem) in await pages.metricsPage() },
      AdminRoute(.get, "/config", .page, .configuration) { _ throws(Problem) in
        await pages.configuration()
      },
      AdminRoute(.get, "/endpoints", .page, .endpoints) { _ throws(Problem) in await pages.endpoints() },
      AdminRoute(.get, "/problems/{type}", .everyone, .problem) { call throws(Problem) in
        StandardPages.problem(call["type"]) ?? .text("There is no such problem.\n", status: .notFound)
      },
    ]
  }

  private func resourceRoutes(_ kind: ResourceKind) -> [AdminRoute] {
    let handlers = resources
    let list = PathTemplate("/v1/\(kind.rawValue)")
    let one = PathTemplate("/v1/\(kind.rawValue)/{name}")
    return [
      AdminRoute(.get, list, .api, .list(kind)) { call throws(Problem) in
        try await handlers.list(kind, call)
      },
      AdminRoute(.get, one, .api, .read(kind)) { call throws(Problem) in
        try await handlers.read(kind, call)
      },
      AdminRoute(.put, one, .api, .put(kind)) { call throws(Problem) in
        try await handlers.put(kind, call)
      },
      AdminRoute(.patch, one, .api, .patch(kind)) { call throws(Problem) in
        try await handlers.patch(kind, call)
      },
      AdminRoute(.delete, one, .api, .delete(kind)) { call throws(Problem) in
        try await handlers.delete(kind, call)
      },
    ]
  }

  private var changeRoutes: [AdminRoute] {
    let (resources, history) = (resources, history)
    return [
      AdminRoute(.post, "/v1/transactions", .api, .transaction) { call throws(Problem) in
        try await resources.transaction(call)
      },
      AdminRoute(.get, "/v1/history", .api, .history) { call throws(Problem) in
        try await history.list(call)
      },
      AdminRoute(.get, "/v1/history/{revision}", .api, .change) { call throws(Problem) in
        try await history.read(call)
      },
      AdminRoute(.get, "/v1/diff", .api, .difference) { call throws(Problem) in
        try await history.difference(call)
      },
      AdminRoute(.post, "/v1/rollback", .api, .rollback) { call throws(Problem) in
        try await history.rollback(call)
      },
      AdminRoute(.get, "/v1/audit", .api, .audit) { call throws(Problem) in
        try await history.audit(call)
      },
    ]
  }

  private var otherRoutes: [AdminRoute] {
    let (operations, events, calls) = (operations, events, calls)
    return [
      AdminRoute(.get, "/v1/events", .api, .events) { call throws(Problem) in
        try await events.response(call, calls)
      },
      AdminRoute(.get, "/v1/explain", .api, .explainQuery) { call throws(Problem) in
        try await operations.explainQuery(call)
      },
      AdminRoute(.post, "/v1/explain", .api, .explain) { call throws(Problem) in
        try await operations.explain(call)
      },
      AdminRoute(.post, "/v1/upgrade", .api, .upgrade) { call throws(Problem) in
        try await operations.upgrade(call)
      },
      AdminRoute(.get, "/v1/cache", .api, .cache) { call throws(Problem) in try await CacheHandlers().list(call) },
      AdminRoute(.post, "/v1/cache/purge", .api, .purgeCache) { call throws(Problem) in
        try await CacheHandlers().purge(call)
      },
      AdminRoute(.get, "/v1/status", .api, .status) { call throws(Problem) in
        try await operations.status(call)
      },
    ]
  }
}
