import DataPlane
import HTTPCodec
import Resources
import Runtime

extension ForwardAuth: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { ForwardAuthPlugin(self, site) }
}

final class ForwardAuthPlugin: Plugin {
  /// Of a refusal, such as a page that asks to log in.
  private static let answerBytesMax = 65_536

  private let settings: ForwardAuth
  private let service: NamedService
  private let worker: Worker
  private let counters: PluginCounters
  private let unavailable: PluginAnswer
  private let tooLarge: PluginAnswer
  private var decisions = DecisionCache()

  init(_ settings: ForwardAuth, _ site: PluginSite) {
    self.settings = settings
    service = site.service(named: settings.service)
    worker = site.worker
    counters = site.counters
    unavailable = PluginAnswer(settings.statusOnError, "The request could not be authorized.")
    tooLarge = PluginAnswer(413, "The request's content is too large.")
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    guard let cache = settings.cache,
      let known = decisions.decision(for: cache.key.bytes(of: exchange), at: worker.now)
    else { return .wait }
    return carryOut(known, exchange)
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    var request = SideRequest(
      settings.isPost ? Self.post : Self.get, settings.path.text(of: exchange, .uri),
      timeoutNanoseconds: settings.timeoutNanoseconds)
    request.host = settings.host ?? []
    request.responseBytesMax = Self.answerBytesMax
    request.lines = lines(for: exchange)
    if settings.isPost {
      switch await exchange.gatherContent(atMost: settings.contentMax) {
      case .whole(let range): request.content = exchange.input.copy(range)
      case .tooLarge: return .answer(tooLarge)
      // The gateway says why.
      case .refused: return .next
      }
    }
    let response: SideResponse
    do throws(SideFailure) {
      response = try await exchange.ask(service.current, request, countedBy: counters)
    } catch {
      return withoutAnswer(error, exchange)
    }
    let decision = decision(response)
    if let cache = settings.cache, cache.statuses.contains(response.status) {
      decisions.remember(
        decision, for: cache.key.bytes(of: exchange),
        until: worker.now.advanced(byNanoseconds: cache.nanoseconds), now: worker.now)
    }
    return carryOut(decision, exchange)
  }

  // MARK: The question

  private static let get = Array("GET".utf8)
  private static let post = Array("POST".utf8)

  private func lines(for exchange: Exchange) -> [UInt8] {
    var lines = exchange.requestLines(only: settings.requestFields, without: settings.ownFields)
    Self.append("X-Forwarded-Proto", exchange.forwardedScheme, to: &lines)
    Self.append("X-Forwarded-Method", exchange.method, to: &lines)
    Self.append("X-Forwarded-Host", exchange.forwardedHost, to: &lines)
    Self.append("X-Forwarded-Uri", RequestVariable.requestURI.value(of: exchange), to: &lines)
    Self.append("X-Forwarded-For", RequestVariable.remoteAddress.value(of: exchange), to: &lines)
    settings.extraFields.append(of: exchange, to: &lines)
    return lines
  }

  private static func append(_ name: String, _ value: [UInt8], to lines: inout [UInt8]) {
    if !value.isEmpty { FieldLines.append(Array(name.utf8), value, to: &lines) }
  }

  // MARK: The answer

  private func decision(_ response: SideResponse) -> DecisionCache.Decision {
    if response.status < 300 {
      return .pass(
        request: response.lines(of: settings.upstreamFields),
        response: response.lines(of: settings.responseFields))
    }
    var lines = response.lines(of: settings.clientFields)
    // Of content of which a part is missing, nothing is said.
    let content = response.isWhole ? response.content : []
    if !content.isEmpty { lines += response.lines(of: Self.codings) }
    let type = response.value(of: Self.contentType) ?? []
    return .refuse(
      PluginAnswer(
        response.status, content: content, contentType: String(decoding: type, as: UTF8.self), lines: lines))
  }

  private static let contentType = Array("content-type".utf8)
  private static let codings = FieldNames(["content-encoding"])

  private func carryOut(_ decision: DecisionCache.Decision, _ exchange: Exchange) -> PluginVerdict {
    switch decision {
    case .pass(let request, let response):
      dropOwn(exchange)
      if !request.isEmpty { exchange.addRequestLines(request) }
      if !response.isEmpty { exchange.addResponseLines(response) }
      return .next
    case .refuse(let answer): return .answer(answer)
    }
  }

  /// What only the service may say does not come from the client.
  private func dropOwn(_ exchange: Exchange) {
    exchange.dropRequestFields(settings.upstreamFields)
  }

  private func withoutAnswer(_ failure: SideFailure, _ exchange: Exchange) -> PluginVerdict {
    if failure.result != .cancelled {
      exchange.note(PluginFailure("service \(service.name) cannot be asked: \(failure.result.name)"))
    }
    guard settings.allowsDegradation else { return .answer(unavailable) }
    dropOwn(exchange)
    return .next
  }
}
