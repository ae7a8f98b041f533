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
  private let questions = QuestionTable()

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
    // Before others can wait for it: they do not wait for a client that sends slowly.
    var content = 0..<0
    if settings.isPost {
      switch await exchange.gatherContent(atMost: settings.contentMax) {
      case .whole(let range): content = range
      case .tooLarge: return .answer(tooLarge)
      // The gateway says why.
      case .refused: return .next
      }
    }
    guard let cache = settings.cache else {
      do throws(SideFailure) {
        return carryOut(decision(try await ask(exchange, content)), exchange)
      } catch {
        return withoutAnswer(error, exchange)
      }
    }
    let key = cache.key.bytes(of: exchange)
    if let known = decisions.decision(for: key, at: worker.now) { return carryOut(known, exchange) }
    switch await questions.turn(of: exchange, for: key, nanoseconds: settings.timeoutNanoseconds) {
    case .answered(let decision): return carryOut(decision, exchange)
    case .failed(let failure): return withoutAnswer(failure, exchange)
    // The gateway says why.
    case .left: return .answer(unavailable)
    case .lead: return await ask(exchange, content, key, cache, isLeader: true)
    case .alone: return await ask(exchange, content, key, cache, isLeader: false)
    }
  }

  // MARK: The question

  private func ask(_ exchange: Exchange, _ content: Range<Int>) async throws(SideFailure) -> SideResponse {
    var request = SideRequest(
      settings.isPost ? Self.post : Self.get, settings.path.text(of: exchange, .uri),
      timeoutNanoseconds: settings.timeoutNanoseconds)
    request.host = settings.host ?? []
    request.responseBytesMax = Self.answerBytesMax
    request.lines = lines(for: exchange)
    if !content.isEmpty { request.content = exchange.input.copy(content) }
    return try await exchange.ask(service.current, request, countedBy: counters)
  }

  /// Asks, remembers the answer, and tells those who wait for it.
  private func ask(
    _ exchange: Exchange, _ content: Range<Int>, _ key: [UInt8], _ cache: ForwardAuth.Cache, isLeader: Bool
  ) async -> PluginVerdict {
    let response: SideResponse
    do throws(SideFailure) {
      response = try await ask(exchange, content)
    } catch {
      if isLeader {
        // What ends at this client's word says nothing of the service.
        let isClients = error.result == .cancelled || exchange.hasLostClient || exchange.hasMissedDeadline
        if isClients { questions.handOver(key) } else { questions.end(key, .failed(error)) }
      }
      return withoutAnswer(error, exchange)
    }
    let decision = decision(response)
    let isShared = cache.statuses.contains(response.status) && DecisionCache.mayBeShared(decision)
    if isShared {
      decisions.remember(
        decision, for: key, until: worker.now.advanced(byNanoseconds: cache.nanoseconds), now: worker.now)
    }
    // What is for one client alone, each asks for itself.
    if isLeader { questions.end(key, isShared ? .answered(decision) : .alone) }
    return carryOut(decision, exchange)
  }

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
