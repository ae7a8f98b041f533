import DataPlane
import HTTPCodec
import Resources
import Runtime

extension Cache: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { CachePlugin(self, site) }
}

final class CachePlugin: Plugin {
  let settings: Cache
  let worker: Worker
  let zone: CacheZone
  let table: CacheTable
  let fields: CacheFields
  let key = CacheKey()

  init(_ settings: Cache, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    zone = CacheZones.zone(named: settings.zone, limit: settings.memoryBytes)
    table = site.workerObject(for: "cache \(zone.name)") { CacheTable() }
    table.bytesMax = settings.memoryBytes / 4 / max(1, site.workerCount)
    fields = CacheFields(tellsStandard: settings.tellsStandard, tellsX: settings.tellsX)
    super.init([.requestHead, .replacement, .responseHead, .responseContent, .end])
  }

  var now: Int64 { worker.now.nanoseconds }

  // MARK: The request

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    switch exchange.request.method {
    case .get, .head: break
    case .options, .trace, .connect: return .next
    default: return unsafeRequest(exchange)
    }
    guard exchange.request.framing == .none, !exchange.wantsUpgrade else { return bypass(exchange) }
    // Fields that Connection names do not go to the service, but would be looked at here.
    if exchange.request.hasConnectionOptions { return bypass(exchange) }
    if let trigger = settings.bypass, trigger.holds(for: exchange) { return bypass(exchange) }
    let facts = CacheRequest(exchange, obeysDirectives: settings.obeysRequests)
    guard !facts.mustAskOrigin, key.make(of: exchange, settings.key) else { return bypass(exchange) }
    if let entry = table.find(key, exchange) {
      let age = entry.age(at: now)
      if Reuse(entry.terms, sinceStored: age, facts.directives) == .fresh {
        return .answer(hit(exchange, facts, entry, age))
      }
    }
    return lookUp(exchange, facts)
  }

  private func bypass(_ exchange: Exchange) -> PluginVerdict {
    fields.write(.bypass, .bypass, isStored: false, isCollapsed: false, to: exchange)
    return .next
  }

  /// A hit that touches nothing that is shared.
  private func hit(
    _ exchange: Exchange, _ facts: CacheRequest, _ entry: LocalEntry, _ sinceStored: Int64
  ) -> PluginAnswer {
    entry.shared.noteUse()
    let age = entry.terms.initialAge + sinceStored
    fields.write(.hit, age: age, left: entry.terms.lifetime - age, to: exchange)
    if entry.status == 200, facts.ifNoneMatch != nil || facts.ifModifiedSince != nil || facts.range != nil {
      return CacheAnswers.answer(exchange, facts, entry.shared)
    }
    return entry.answer
  }

  /// Answers with what is stored.
  func answer(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse, _ result: CacheResult,
    wasForwarded: Bool = false, isCollapsed: Bool = false
  ) -> PluginAnswer {
    stored.noteUse()
    let age = stored.terms.initialAge + stored.age(at: now)
    fields.write(
      result, age: age, left: stored.terms.lifetime - age, wasForwarded: wasForwarded,
      isCollapsed: isCollapsed,
      to: exchange)
    return CacheAnswers.answer(exchange, facts, stored)
  }

  // MARK: The zone

  /// What the zone has for the request, and whether it has the URL for others.
  private func find(_ exchange: Exchange) -> (stored: StoredResponse?, isOfOthers: Bool) {
    var isOfOthers = false
    let stored = zone.find(key.urlHash) { response in
      let identity = response.identity
      guard key.isURL(identity.url), key.isPartition(identity.partition) else { return false }
      if Selection.holds(identity.selected, for: exchange) { return true }
      isOfOthers = true
      return false
    }
    guard let stored, !stored.isOfUse(at: now) else { return (stored, isOfOthers) }
    zone.remove(stored)
    return (nil, false)
  }

  private func lookUp(_ exchange: Exchange, _ facts: CacheRequest) -> PluginVerdict {
    let (stored, isOfOthers) = find(exchange)
    if let stored, let answer = answerAtOnce(exchange, facts, stored) { return .answer(answer) }
    // RFC 9111 §5.2.1.7
    if facts.directives.onlyIfCached { return .answer(Self.notCached) }
    var reason = isOfOthers ? CacheVisit.Reason.varyMiss : .uriMiss
    if stored != nil {
      reason = facts.directives.noCache || facts.directives.maxAge != nil ? .request : .stale
    }
    let visit = CacheVisit(reason, facts, key, purges: zone.purges)
    visit.stale = stored
    exchange.keep(visit, for: self)
    // Only what a GET without a range brings is stored; a range of what is stored may be answered once it holds.
    guard exchange.request.method == .get, facts.range == nil || stored?.canBeValidated == true else {
      return forward(exchange, visit)
    }
    visit.mayStore = !facts.directives.noStore
    guard settings.hasLock, visit.mayStore else { return forward(exchange, visit) }
    switch zone.takeTurn(visit.hash, at: now, leadNanoseconds: settings.lockNanoseconds) {
    case .alone: break
    case .lead(let turn): visit.turn = turn
    case .wait(let turn):
      // Whoever fetches it anew is on the way already.
      if let stored,
        Reuse(stored.terms, sinceStored: stored.age(at: now), facts.directives) == .staleWhileRevalidate
      {
        visit.isAnswered = true
        return .answer(answer(exchange, facts, stored, .updating))
      }
      visit.awaited = turn
      return .wait
    }
    return forward(exchange, visit)
  }

  private static let notCached = PluginAnswer(504, "Nothing is stored for this request.")

  /// Nil where the endpoint has to be asked.
  private func answerAtOnce(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse, isCollapsed: Bool = false
  ) -> PluginAnswer? {
    let sinceStored = stored.age(at: now)
    switch Reuse(stored.terms, sinceStored: sinceStored, facts.directives) {
    case .fresh:
      if !isCollapsed, let entry = table.add(stored, hash: key.hash) {
        return hit(exchange, facts, entry, sinceStored)
      }
      return answer(exchange, facts, stored, .hit, isCollapsed: isCollapsed)
    case .stale: return answer(exchange, facts, stored, .stale)
    case .staleWhileRevalidate, .validate: return nil
    }
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    guard let visit = exchange.kept(for: self) as? CacheVisit, let turn = visit.awaited else { return .next }
    visit.awaited = nil
    let handle = WakeHandle(on: worker)
    if turn.add(handle) {
      await exchange.wait(for: handle, until: worker.now.advanced(byNanoseconds: settings.lockNanoseconds))
    }
    // Others have used the key's buffers since.
    guard key.make(of: exchange, settings.key) else { return .next }
    visit.isCollapsed = true
    let (stored, _) = find(exchange)
    if let stored, let answer = answerAtOnce(exchange, visit.facts, stored, isCollapsed: true) {
      visit.isAnswered = true
      return .answer(answer)
    }
    visit.stale = stored
    return forward(exchange, visit)
  }

  /// The request goes to an endpoint.
  private func forward(_ exchange: Exchange, _ visit: CacheVisit) -> PluginVerdict {
    exchange.noteCache(visit.stale == nil ? .miss : .expired)
    guard visit.mayStore else { return .next }
    // The gateway's own question takes the place of the client's, so that a whole response comes.
    if visit.facts.ifNoneMatch != nil { exchange.dropRequestField(Self.ifNoneMatch) }
    if visit.facts.ifModifiedSince != nil { exchange.dropRequestField(Self.ifModifiedSince) }
    guard let stale = visit.stale, stale.canBeValidated else { return .next }
    if visit.facts.range != nil {
      exchange.dropRequestField(Self.range)
      exchange.dropRequestField(Self.ifRange)
    }
    visit.isValidating = true
    var lines: [UInt8] = []
    if !stale.message.entityTag.isEmpty {
      FieldLines.append(Self.ifNoneMatch, stale.message.entityTag, to: &lines)
    }
    if let modified = StoredLines.value(of: Self.lastModified, in: stale.message.lines),
      stale.message.lastModified != nil
    {
      FieldLines.append(Self.ifModifiedSince, modified, to: &lines)
    }
    exchange.addRequestLines(lines)
    return .next
  }

  private static let ifNoneMatch = Array("if-none-match".utf8)
  private static let ifModifiedSince = Array("if-modified-since".utf8)
  private static let range = Array("range".utf8)
  private static let ifRange = Array("if-range".utf8)
  private static let lastModified = Array("last-modified".utf8)

  // MARK: The response

  override func replacement(_ exchange: Exchange, for status: UInt16, isEndpoints: Bool) -> PluginAnswer? {
    visit(exchange).flatMap { replace(exchange, $0, status, isEndpoints: isEndpoints) }
  }

  override func responseHead(_ exchange: Exchange) throws(PluginFailure) {
    if let visit = visit(exchange) { decide(exchange, visit) }
  }

  override func responseContent(_ exchange: Exchange, _ content: Span<UInt8>) {
    guard let visit = visit(exchange), let fill = visit.fill, !fill.append(content) else { return }
    visit.fill = nil
    endTurn(visit, mayStore: false)
  }

  override func responseContentEnded(_ exchange: Exchange) {
    if let visit = visit(exchange) { store(exchange, visit) }
  }

  override func end(_ exchange: Exchange) {
    guard let visit = visit(exchange) else { return }
    visit.fill = nil
    endTurn(visit, mayStore: true)
  }

  // MARK: Requests that change something

  private func unsafeRequest(_ exchange: Exchange) -> PluginVerdict {
    guard key.make(of: exchange, settings.key) else { return .next }
    if settings.purgesByMethod, exchange.request.method == .other, exchange.method == Self.purge {
      let count = zone.invalidate(key.urlHash, key.url.copy(0..<key.url.count))
      return .answer(
        PluginAnswer(
          count > 0 ? 200 : 404, content: Array("{\"purged\": \(count)}\n".utf8),
          contentType: "application/json"))
    }
    let facts = CacheRequest(exchange, obeysDirectives: false)
    exchange.keep(CacheVisit(.method, facts, key, purges: zone.purges), for: self)
    exchange.noteCache(.bypass)
    return .next
  }

  private static let purge = Array("PURGE".utf8)
}
