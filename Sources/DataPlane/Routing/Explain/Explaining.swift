import HTTPCodec
import Resources
import Runtime
import TLS

extension DataPlaneWorker {
  /// What would become of a request, by the tables that requests are served with. To be called on the
  /// worker's thread; takes a few hundred microseconds at most.
  public func explain(_ question: ExplainQuestion) -> Explanation {
    var explanation = Explanation(revision: revision, method: question.method)
    let request: ExplainedRequest
    do throws(HTTP1Error) {
      request = try ExplainedRequest(question, limits: settings.headLimits)
    } catch {
      return explanation.ending(.refused, Int(error.status), "The request is refused: \(error).")
    }
    explanation.host = request.hostText
    explanation.path = String(decoding: request.path, as: UTF8.self)
    let listenerExplainer = ListenerExplainer(question: question, slots: listeners.slots)
    guard let number = listenerExplainer.find(into: &explanation), let slot = listeners.slots[number] else {
      return explanation.ending(.noListener, nil, "No listener takes such a request.")
    }
    if let end = explainTLS(question, request, slot, listenerExplainer, &explanation) { return end }
    if [.trace, .connect].contains(request.head.method) {
      return explanation.ending(.refused, 405, "The method is not supported.")
    }
    let route = RouteExplainer(request: request, listener: number).explain(routes, into: &explanation)
    if question.scheme == .http, request.head.targetForm != .asterisk,
      let redirect = route.map({ Override.resolve($0.redirect, inherited: slot.definition.redirect) })
        ?? slot.definition.redirect
    {
      return explanation.redirected(redirect, request)
    }
    guard let route else { return explanation.ending(.noRoute, 404, "No route takes the request.") }
    let backends = BackendExplainer(request: request, client: question.client, worker: worker)
    explanation.backends = backends.explain(route, serviceTable) { service in
      explainChoice(request, route, service)
    }
    explanation.plugins = explainPlugins(of: route)
    if let answering = explanation.plugins.first(where: \.answersAlways) {
      return explanation.ending(.answered, nil, "The plugin \(answering.name) answers it.")
    }
    let isServed = explanation.backends.contains {
      $0.share > 0 && $0.endpoints.contains(where: \.mayBePicked)
    }
    guard isServed else {
      return explanation.ending(.noEndpoint, 503, "Route \(route.name) has no endpoint that may be used.")
    }
    let names = explanation.backends.filter { $0.share > 0 }.map(\.service).joined(separator: " or ")
    return explanation.ending(.proxied, nil, "Route \(route.name) sends it to \(names).")
  }

  /// What plugins make of a route's choice of a service; the last of them counts.
  private func explainChoice(
    _ request: ExplainedRequest, _ route: CompiledRoute, _ service: UpstreamService?
  ) -> (plugin: String, shares: [ExplainedShare])? {
    var request = request
    request.routeName = route.nameBytes
    request.serviceName = service?.nameBytes ?? []
    for link in plugins(of: route, service)?.links.reversed() ?? [] {
      guard link.plugin.phases.contains(.upstreamChoice),
        let shares = link.plugin.explainUpstreamChoice(request)
      else { continue }
      return ("\(link.name) of \(link.attached.scope.description)", shares)
    }
    return nil
  }

  /// Where a route has several services, with the plugins of the first.
  private func explainPlugins(of route: CompiledRoute) -> [Explanation.Plugin] {
    let number = route.definition.backends.indices.lazy.compactMap { route.service(ofBackend: $0) }.first
    let links = plugins(of: route, number.flatMap { serviceTable.service($0) })?.links ?? []
    // What acts on connections does so whatever the route has in its place for requests.
    let ofConnections = connectionPlugins.compactMap { attached in
      attached.plugin(of: self).map { explain($0, attached) }
    }
    return ofConnections + links.map { explain($0.plugin, $0.attached) }
  }

  private func explain(_ plugin: Plugin, _ attached: AttachedPlugin) -> Explanation.Plugin {
    Explanation.Plugin(
      name: attached.attachment.name, scope: attached.scope.description, phases: plugin.phases.names,
      answersAlways: attached.attachment.settings.answersAlways)
  }

  /// - Returns: an end before the request is looked at.
  private func explainTLS(
    _ question: ExplainQuestion, _ request: ExplainedRequest, _ slot: ListenerSlot,
    _ explainer: ListenerExplainer, _ explanation: inout Explanation
  ) -> Explanation? {
    let expectsTLS = slot.definition.tls != nil
    if expectsTLS && question.scheme == .http {
      return explanation.ending(.refused, 400, "The listener expects https.")
    }
    if !expectsTLS && question.scheme == .https {
      return explanation.ending(.handshakeRefused, nil, "The listener speaks http, without TLS.")
    }
    guard expectsTLS else { return nil }
    guard let certificate = explainer.certificate(slot, into: &explanation),
      let context = slot.security?.context
    else {
      return explanation.ending(
        .handshakeRefused, nil,
        "The handshake is refused (unrecognized_name): no certificate is for \(question.host), and the "
          + "listener shows none by default.")
    }
    let name = question.host.lowercased()
    if !context.covers(host: request.hostText, certificate: certificate, serverName: name) {
      return explanation.ending(
        .misdirected, 421,
        "The connection's certificate, \(certificate.name), is not for \(request.hostText).")
    }
    return nil
  }
}

extension Explanation {
  fileprivate func ending(_ outcome: Outcome, _ status: Int?, _ summary: String) -> Explanation {
    var ended = self
    ended.outcome = outcome
    ended.status = status
    ended.summary = summary
    return ended
  }

  fileprivate func redirected(_ redirect: HTTPSRedirect, _ request: ExplainedRequest) -> Explanation {
    let port = redirect.port == 443 ? "" : ":\(redirect.port)"
    let query = request.head.hasQuery ? "?" + request.text(request.head.query) : ""
    var ended = ending(.redirected, Int(redirect.status), "The client is sent to https.")
    ended.location = "https://\(host)\(port)\(request.text(request.head.path))\(query)"
    return ended
  }
}
