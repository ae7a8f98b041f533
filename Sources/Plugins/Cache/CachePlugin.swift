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
  /// Kept open for as long as this is.
  let disk: CacheDisk?
  let fields: CacheFields
  let key = CacheKey()
  let counters: PluginCounters
  let refreshes: RefreshCount

  init(_ settings: Cache, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    zone = CacheZones.zone(named: settings.zone, limit: settings.memoryBytes)
    disk = settings.disk?.disk
    table = site.workerObject(for: "cache \(zone.name)") { CacheTable() }
    table.bytesMax = settings.memoryBytes / 4 / max(1, site.workerCount)
    counters = site.counters
    refreshes = site.workerObject(for: "refreshes of caches") { RefreshCount() }
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
  func hit(
    _ exchange: Exchange, _ facts: CacheRequest, _ entry: LocalEntry, _ sinceStored: Int64
  ) -> PluginAnswer {
    entry.shared.noteUse(at: now)
    let age = entry.terms.initialAge + sinceStored
    fields.write(.hit, age: age, left: entry.terms.lifetime - age, to: exchange)
    if entry.status == 200, facts.ifNoneMatch != nil || facts.ifModifiedSince != nil || facts.range != nil {
      return CacheAnswers.answer(exchange, facts, entry.shared)
    }
    return entry.answer
  }

  /// Answers with what is stored.
  /// - collapsedFor: Why it would have been forwarded, where another request was in its place.
  /// - file: Has its content, where that is not in memory.
  func answer(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse, _ result: CacheResult,
    wasForwarded: Bool = false, collapsedFor: CacheVisit.Reason? = nil, contentOf file: StreamedFile? = nil
  ) -> PluginAnswer {
    stored.noteUse(at: now)
    let age = stored.terms.initialAge + stored.age(at: now)
    fields.write(
      result, age: age, left: stored.terms.lifetime - age, wasForwarded: wasForwarded,
      collapsedFor: collapsedFor, to: exchange)
    return CacheAnswers.answer(exchange, facts, stored, contentOf: file)
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    guard let visit = visit(exchange) else { return .next }
    // For the disk and for others together.
    let deadline = worker.now.advanced(byNanoseconds: settings.lockNanoseconds)
    if let handle = visit.awaitedFile {
      visit.awaitedFile = nil
      let verdict = await waitForDisk(exchange, visit, handle, until: deadline)
      guard case .wait = verdict else { return verdict }
    }
    return await waitForOthers(exchange, visit, until: deadline)
  }

  /// The request goes to an endpoint.
  func forward(_ exchange: Exchange, _ visit: CacheVisit) -> PluginVerdict {
    exchange.noteCache(visit.stale == nil ? .miss : .expired)
    guard visit.mayStore else { return .next }
    // The gateway's own question takes the place of the client's, so that a whole response comes.
    if visit.facts.ifNoneMatch != nil || visit.facts.ifModifiedSince != nil { dropConditions(exchange) }
    guard let stale = visit.stale, stale.canBeValidated else { return .next }
    if visit.facts.range != nil {
      exchange.dropRequestField(Self.range)
      exchange.dropRequestField(Self.ifRange)
    }
    visit.isValidating = true
    exchange.addRequestLines(validators(of: stale))
    return .next
  }

  func dropConditions(_ exchange: Exchange) {
    exchange.dropRequestField(Self.ifNoneMatch)
    exchange.dropRequestField(Self.ifModifiedSince)
  }

  /// What asks an endpoint whether something stored still holds (RFC 9111 §4.3.1).
  func validators(of stale: StoredResponse) -> [UInt8] {
    var lines: [UInt8] = []
    if !stale.message.entityTag.isEmpty {
      FieldLines.append(Self.ifNoneMatch, stale.message.entityTag, to: &lines)
    }
    if let modified = StoredLines.value(of: Self.lastModified, in: stale.message.lines),
      stale.message.lastModified != nil
    {
      FieldLines.append(Self.ifModifiedSince, modified, to: &lines)
    }
    return lines
  }

  private static let ifNoneMatch = Array("if-none-match".utf8)
  private static let ifModifiedSince = Array("if-modified-since".utf8)
  static let range = Array("range".utf8)
  static let ifRange = Array("if-range".utf8)
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
    endTurn(visit, .notStorable)
  }

  override func responseContentEnded(_ exchange: Exchange) {
    if let visit = visit(exchange) { store(exchange, visit) }
  }

  override func end(_ exchange: Exchange) {
    guard let visit = visit(exchange) else { return }
    visit.fill = nil
    endTurn(visit, .failed)
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
