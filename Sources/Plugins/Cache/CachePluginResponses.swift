import DataPlane
import HTTPCodec
import Runtime

/// What becomes of responses.
extension CachePlugin {
  func visit(_ exchange: Exchange) -> CacheVisit? { exchange.kept(for: self) as? CacheVisit }

  /// The response to a request that may be stored has come, or none will.
  func decide(_ exchange: Exchange, _ visit: CacheVisit) {
    visit.fill = nil
    if visit.isAnswered { return }
    var isStored = false
    if visit.reason == .method {
      // RFC 9111 §4.4
      if exchange.isAnsweredByEndpoint, (200..<400).contains(exchange.endpointStatus) {
        zone.invalidate(visit.identity.hash, visit.identity.url)
      }
    } else if exchange.isAnsweredByEndpoint, visit.mayStore {
      isStored = beginFill(exchange, visit)
      if !isStored {
        // What others have waited for is not to be had; nor will it be by those who come next.
        endTurn(visit, exchange.endpointStatus >= 500 ? .failed : .notStorable)
        // The endpoint has something else to say now (RFC 9111 §4.3.3).
        if let stale = visit.stale, exchange.endpointStatus < 500 { zone.remove(stale) }
      }
    } else {
      endTurn(visit, .failed)
    }
    let result: CacheResult = visit.reason == .method ? .bypass : visit.stale == nil ? .miss : .expired
    fields.write(result, visit.reason, isStored: isStored, isCollapsed: visit.isCollapsed, to: exchange)
  }

  private func beginFill(_ exchange: Exchange, _ visit: CacheVisit) -> Bool {
    var facts = ResponseFacts()
    facts.status = exchange.endpointStatus
    exchange.withResponseFields { facts.note($0, in: $1, tagFields: settings.tagFields) }
    guard let terms = terms(of: facts, exchange, visit),
      let selected = Selection.make(facts.vary, for: exchange)
    else { return false }
    var identity = visit.identity
    identity.selected = selected
    let lines = lines(of: exchange)
    visit.fill = CacheFill(
      identity, facts, lines: lines, terms, bytesMax: settings.contentBytesMax, in: zone.account)
    if visit.fill == nil { return false }
    if exchange.followContent() { return true }
    visit.fill = nil
    return false
  }

  private func terms(of facts: ResponseFacts, _ exchange: Exchange, _ visit: CacheVisit) -> StorageTerms? {
    let delay = worker.now.nanoseconds(since: exchange.attemptBegan) / 1_000_000_000
    return try? settings.rules.terms(
      for: facts, to: storageRequest(exchange, visit), at: exchange.wallClockSeconds, delay: delay)
  }

  private func storageRequest(_ exchange: Exchange, _ visit: CacheVisit) -> StorageRules.Request {
    StorageRules.Request(
      isGet: exchange.request.method == .get, hasAuthorization: visit.facts.hasAuthorization,
      noStore: visit.facts.directives.noStore)
  }

  /// What is kept of the head: `Age` is counted anew.
  private func lines(of exchange: Exchange) -> [UInt8] {
    let lines = worker.buffers.take()
    exchange.appendResponseFields(to: lines) { field, bytes in
      !(field.name.count == 3 && bytes.equalsIgnoringCase(field.name, lowercase: "age"))
    }
    let copy = lines.copy(0..<lines.count)
    worker.buffers.give(lines)
    return copy
  }

  func endTurn(_ visit: CacheVisit, _ outcome: CacheFetch.Outcome) {
    visit.turn?.end(outcome)
    visit.turn = nil
  }

  // MARK: In place of the endpoint's

  /// What something stale may be sent in place of (RFC 5861 §4).
  static let failures: Set<UInt16> = [500, 502, 503, 504]

  /// - status: Of the endpoint's head, or of what the gateway would answer.
  func replace(_ exchange: Exchange, _ visit: CacheVisit, _ status: UInt16, isEndpoints: Bool)
    -> PluginAnswer?
  {
    guard let stale = visit.stale else { return nil }
    if isEndpoints, status == 304, visit.isValidating { return validated(exchange, visit, stale) }
    guard !isEndpoints || Self.failures.contains(status), stale.mayReplaceFailure(at: now) else {
      return nil
    }
    endTurn(visit, .staleInstead)
    visit.isAnswered = true
    return answer(exchange, visit.facts, stale, .stale, wasForwarded: true)
  }

  /// RFC 9111 §4.3.4
  private func validated(_ exchange: Exchange, _ visit: CacheVisit, _ stale: StoredResponse) -> PluginAnswer {
    visit.isAnswered = true
    var news = ResponseFacts()
    exchange.withResponseFields { news.note($0, in: $1) }
    if confirmsAnother(news, stale) {
      zone.remove(stale)
      endTurn(visit, .failed)
      exchange.noteCache(.expired)
      return Self.confused
    }
    let delay = worker.now.nanoseconds(since: exchange.attemptBegan) / 1_000_000_000
    let (fresh, mayStore) = freshened(
      stale, with: lines(of: exchange), age: news.age, storageRequest(exchange, visit), delay: delay, at: now)
    var isStored = false
    if mayStore { isStored = zone.insert(fresh, purges: visit.purges, to: disk) } else { zone.remove(stale) }
    endTurn(visit, !mayStore ? .notStorable : isStored ? .stored : .failed)
    return answer(exchange, visit.facts, fresh, .revalidated, wasForwarded: true)
  }

  private static let confused = PluginAnswer(502, "The service failed to answer.")

  /// A 304 has confirmed something that it was not asked for.
  func confirmsAnother(_ news: ResponseFacts, _ stale: StoredResponse) -> Bool {
    !news.entityTag.isEmpty && !stale.message.entityTag.isEmpty
      && !EntityTags.match(news.entityTag, stale.message.entityTag)
  }

  /// What is stored with what a 304 says of it, and whether it may be kept.
  /// - age: As the 304 says. Seconds.
  /// - delay: Seconds that it took to come.
  /// - storedAt: What its age is counted from.
  func freshened(
    _ stale: StoredResponse, with lines: [UInt8], age: Int64, _ request: StorageRules.Request, delay: Int64,
    at storedAt: Int64
  ) -> (fresh: StoredResponse, mayStore: Bool) {
    var message = stale.message
    message.lines = StoredLines.updated(message.lines, with: lines)
    var facts = Self.facts(message.status, message.lines, tagFields: settings.tagFields)
    facts.age = age
    message.tags = facts.tags
    let wallClock = worker.seam.wallClockNanoseconds() / 1_000_000_000
    let terms = try? settings.rules.terms(for: facts, to: request, at: wallClock, delay: delay)
    let fresh = StoredResponse(
      stale.identity, message, terms ?? StorageTerms(), at: storedAt, in: zone.account)
    return (fresh, terms != nil)
  }

  static func facts(_ status: UInt16, _ lines: [UInt8], tagFields: [[UInt8]]) -> ResponseFacts {
    var facts = ResponseFacts()
    facts.status = status
    let text = StoredLines.head(status, lines)
    var parser = ResponseParser(limits: HTTP1Limits())
    var head = ResponseHead()
    // It was parsed before, as two heads: together they may be longer than one may be.
    guard (try? parser.parse(text.span, requestMethod: .head, into: &head)) == true else {
      facts.variesByAnything = true
      return facts
    }
    for field in head.fields { facts.note(field, in: text.span, tagFields: tagFields) }
    return facts
  }

  // MARK: The content

  func store(_ exchange: Exchange, _ visit: CacheVisit) {
    guard let fill = visit.fill else { return }
    visit.fill = nil
    let headCame = exchange.attemptBegan.nanoseconds + max(0, exchange.responseNanoseconds)
    let isStored = zone.insert(fill.response(at: min(headCame, now)), purges: visit.purges, to: disk)
    // It was purged meanwhile: the next one fetches it anew.
    endTurn(visit, isStored ? .stored : .failed)
  }
}
