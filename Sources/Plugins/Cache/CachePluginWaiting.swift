import DataPlane
import HTTPCodec
import Runtime

/// What is stored for a request, and who fetches what is not.
extension CachePlugin {
  /// What the zone has.
  struct Found {
    var stored: StoredResponse?
    /// For the same URL, and other values of the fields that it varies by.
    var other: StoredResponse?
  }

  private func find(_ exchange: Exchange) -> Found {
    var other: StoredResponse?
    let stored = zone.find(key.urlHash) { response in
      let identity = response.identity
      guard key.isURL(identity.url), key.isPartition(identity.partition) else { return false }
      if Selection.holds(identity.selected, for: exchange) { return true }
      if other == nil { other = response }
      return false
    }
    guard let stored, !stored.isOfUse(at: now) else { return Found(stored: stored, other: other) }
    zone.removeExpired(stored)
    return Found(stored: nil, other: other)
  }

  func lookUp(_ exchange: Exchange, _ facts: CacheRequest) -> PluginVerdict {
    let found = find(exchange)
    if let stored = found.stored, let answer = answerAtOnceOrMeanwhile(exchange, facts, stored) {
      return .answer(answer)
    }
    let visit = CacheVisit(reason(facts, found), facts, key, purges: zone.purges)
    exchange.keep(visit, for: self)
    if found.stored == nil, let handle = readFromDisk(exchange, visit) {
      visit.awaitedFile = handle
      return .wait
    }
    return fetch(exchange, visit, found)
  }

  private func answerAtOnceOrMeanwhile(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse
  ) -> PluginAnswer? {
    answerAtOnce(exchange, facts, stored) ?? answerMeanwhile(exchange, facts, stored)
  }

  // MARK: The disk

  /// What the index has for the request is read; nil where that is nothing, or too much is to be read before.
  private func readFromDisk(_ exchange: Exchange, _ visit: CacheVisit) -> WakeHandle? {
    guard let disk else { return nil }
    let core = disk.core
    if let problem = core.takeProblem() { exchange.note(PluginFailure(problem)) }
    let entry = core.index.find(key.urlHash) { entry in
      let identity = entry.identity
      return key.isURL(identity.url) && key.isPartition(identity.partition)
        && Selection.holds(identity.selected, for: exchange)
    }
    guard let entry else { return nil }
    guard entry.isOfUse(at: now) else {
      _ = core.index.remove(entry)
      return nil
    }
    let handle = WakeHandle(on: worker)
    if mayBeAnswered(by: entry, visit.facts), let file = StreamedFile(entry, of: disk, waking: handle) {
      guard core.open(file) else { return nil }
      visit.streamedFile = file
      return handle
    }
    return core.read(entry, purges: visit.purges, waking: handle) ? handle : nil
  }

  /// What has to be validated, or fetched anew meanwhile, is read into memory: it is stored once more.
  private func mayBeAnswered(by entry: DiskEntry, _ facts: CacheRequest) -> Bool {
    switch Reuse(entry.terms, sinceStored: entry.age(at: now), facts.directives) {
    case .fresh, .stale: true
    case .staleWhileRevalidate, .validate: false
    }
  }

  /// Nil where it could not be read, or was purged meanwhile.
  private func answer(_ exchange: Exchange, _ visit: CacheVisit, _ file: StreamedFile) -> PluginAnswer? {
    guard let stored = file.response, zone.mayStore(stored.identity.hash, purges: visit.purges) else {
      return nil
    }
    switch reuse(stored, visit.facts) {
    case .fresh: return answer(exchange, visit.facts, stored, .hit, contentOf: file)
    case .stale: return answer(exchange, visit.facts, stored, .stale, contentOf: file)
    case .staleWhileRevalidate, .validate: return nil
    }
  }

  /// - Returns: ``PluginVerdict/wait`` where others fetch what the disk did not have after all.
  func waitForDisk(
    _ exchange: Exchange, _ visit: CacheVisit, _ handle: WakeHandle, until deadline: MonotonicTime
  ) async -> PluginVerdict {
    await exchange.wait(for: handle, until: deadline)
    let file = visit.streamedFile
    visit.streamedFile = nil
    // Others have used the key's buffers since.
    guard key.make(of: exchange, settings.key) else { return .next }
    let found = find(exchange)
    if let stored = found.stored, let answer = answerAtOnceOrMeanwhile(exchange, visit.facts, stored) {
      visit.isAnswered = true
      return .answer(answer)
    }
    if found.stored == nil, let file, let answer = answer(exchange, visit, file) {
      visit.isAnswered = true
      return .answer(answer)
    }
    visit.decide(reason(visit.facts, found), found.stored)
    return fetch(exchange, visit, found)
  }

  // MARK: Fetching

  private func fetch(_ exchange: Exchange, _ visit: CacheVisit, _ found: Found) -> PluginVerdict {
    let facts = visit.facts
    // RFC 9111 §5.2.1.7
    if facts.directives.onlyIfCached {
      visit.isAnswered = true
      return .answer(Self.notCached)
    }
    let stored = found.stored
    visit.stale = stored
    // Only what a GET without a range brings is stored; a range of what is stored may be answered once it holds.
    guard exchange.request.method == .get, facts.range == nil || stored?.canBeValidated == true else {
      return forward(exchange, visit)
    }
    visit.mayStore = !facts.directives.noStore
    guard settings.hasLock, visit.mayStore else { return forward(exchange, visit) }
    guard let awaited = takeTurn(exchange, visit, found) else { return forward(exchange, visit) }
    // Whoever fetches it anew is on the way already.
    if let stored, reuse(stored, facts) == .staleWhileRevalidate {
      visit.isAnswered = true
      return .answer(answer(exchange, facts, stored, .updating))
    }
    visit.awaited = awaited
    return .wait
  }

  private static let notCached = PluginAnswer(504, "Nothing is stored for this request.")

  private func reason(_ facts: CacheRequest, _ found: Found) -> CacheVisit.Reason {
    if found.stored == nil { return found.other == nil ? .uriMiss : .varyMiss }
    return facts.directives.noCache || facts.directives.maxAge != nil ? .request : .stale
  }

  private func reuse(_ stored: StoredResponse, _ facts: CacheRequest) -> Reuse {
    Reuse(stored.terms, sinceStored: stored.age(at: now), facts.directives)
  }

  /// Nil where the endpoint has to be asked.
  private func answerAtOnce(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse,
    collapsedFor: CacheVisit.Reason? = nil
  ) -> PluginAnswer? {
    switch reuse(stored, facts) {
    case .fresh:
      if collapsedFor == nil, let entry = table.add(stored, hash: key.hash) {
        return hit(exchange, facts, entry, stored.age(at: now))
      }
      return answer(exchange, facts, stored, .hit, collapsedFor: collapsedFor)
    case .stale: return answer(exchange, facts, stored, .stale)
    case .staleWhileRevalidate, .validate: return nil
    }
  }

  /// Nil where it may not be used while it is fetched anew, or only a client's own request can do that.
  private func answerMeanwhile(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse
  ) -> PluginAnswer? {
    guard reuse(stored, facts) == .staleWhileRevalidate, exchange.mayBeAskedAside else { return nil }
    if !facts.directives.noStore { refresh(exchange, facts, stored) }
    return answer(exchange, facts, stored, .updating)
  }

  // MARK: Turns

  /// What requests wait for each other by. Those for different variants do not, as far as is known what they vary by.
  /// - known: A variant of it.
  func turnHash(_ exchange: Exchange, _ known: StoredResponse?) -> UInt64 {
    guard let known else { return key.hash }
    var hash = key.hash
    for one in known.identity.selected {
      hash = KeyHash.of(one.name.span, after: hash)
      let value = exchange.sentValue(of: one.name)
      // None is not the same as an empty one.
      hash = KeyHash.of(hash: UInt64(value.map { $0.count + 1 } ?? 0), after: hash)
      if let value { hash = KeyHash.of(value.span, after: hash) }
    }
    return hash
  }

  /// Nil: it goes to the endpoint now, with the lead or without; otherwise whom it waits for.
  private func takeTurn(_ exchange: Exchange, _ visit: CacheVisit, _ found: Found) -> CacheFetch? {
    let hash = turnHash(exchange, found.stored ?? found.other)
    switch zone.takeTurn(hash, at: now, leadNanoseconds: settings.lockNanoseconds) {
    case .alone: return nil
    case .wait(let fetch): return fetch
    case .lead(let fetch):
      lead(fetch, visit)
      return nil
    }
  }

  private func lead(_ fetch: CacheFetch, _ visit: CacheVisit) {
    visit.turn = CacheTurn(fetch, in: zone, on: worker, leadNanoseconds: settings.lockNanoseconds)
  }

  func waitForOthers(
    _ exchange: Exchange, _ visit: CacheVisit, until deadline: MonotonicTime
  ) async -> PluginVerdict {
    while let fetch = visit.awaited {
      visit.awaited = nil
      let handle = WakeHandle(on: worker)
      let outcome: CacheFetch.Outcome?
      switch fetch.add(handle) {
      case .full: return forward(exchange, visit)
      case .ended(let known): outcome = known
      case .waits(let waiter):
        await exchange.wait(for: handle, until: deadline)
        outcome = leave(fetch, waiter, visit)
      }
      // Others have used the key's buffers since.
      guard key.make(of: exchange, settings.key) else { return .next }
      visit.isCollapsed = true
      let found = find(exchange)
      if let stored = found.stored, let answer = answerAfterWaiting(exchange, visit, stored, outcome) {
        visit.isAnswered = true
        // Who was given the lead has no use for it.
        endTurn(visit, .stored)
        return .answer(answer)
      }
      visit.stale = found.stored
      if visit.turn != nil || exchange.hasLostClient || worker.now >= deadline { break }
      visit.awaited = takeTurn(exchange, visit, found)
    }
    return forward(exchange, visit)
  }

  /// How the fetch has ended; nil: it has not, or this request has the lead now.
  private func leave(
    _ fetch: CacheFetch, _ waiter: CacheFetch.Waiter, _ visit: CacheVisit
  ) -> CacheFetch.Outcome? {
    guard fetch.leave(waiter) else { return fetch.outcome }
    lead(fetch, visit)
    return nil
  }

  private func answerAfterWaiting(
    _ exchange: Exchange, _ visit: CacheVisit, _ stored: StoredResponse, _ outcome: CacheFetch.Outcome?
  ) -> PluginAnswer? {
    if let answer = answerAtOnce(exchange, visit.facts, stored, collapsedFor: visit.reason) { return answer }
    // The service has failed just now: it need not do so once more for each of them.
    if outcome == .staleInstead, stored.mayReplaceFailure(at: now) {
      return answer(exchange, visit.facts, stored, .stale, wasForwarded: true, collapsedFor: visit.reason)
    }
    return nil
  }
}
