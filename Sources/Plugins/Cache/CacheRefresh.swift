import DataPlane
import HTTPCodec
import Runtime

/// A stored response that is fetched anew while it is used: by a request of the gateway's own, which nobody waits for
/// (RFC 5861 §3). Belongs to one worker.
final class CacheRefresh {
  let stale: StoredResponse
  let hash: UInt64
  let turn: CacheTurn
  /// Of when it was begun; see ``CacheZone/purges``.
  let purges: UInt64
  /// When it was sent.
  let began: MonotonicTime
  let request: StorageRules.Request
  /// The client's fields, and what plugins have added: what `Vary` is about.
  let lines: [UInt8]
  /// For its content, until that is copied into what is stored.
  let room: RefreshRoom
  private let running: RefreshCount

  init(
    _ stale: StoredResponse, _ hash: UInt64, _ turn: CacheTurn, purges: UInt64, at began: MonotonicTime,
    _ request: StorageRules.Request, _ lines: [UInt8], _ room: RefreshRoom, _ running: RefreshCount
  ) {
    self.stale = stale
    self.hash = hash
    self.turn = turn
    self.purges = purges
    self.began = began
    self.request = request
    self.lines = lines
    self.room = room
    self.running = running
    running.count += 1
  }

  deinit { running.count -= 1 }
}

/// How many refreshes are under way on one worker.
final class RefreshCount {
  var count = 0

  /// Each holds the content of a response until it is whole. Above, what is stale stays so for a while longer.
  private static let countMax = 100
  var isFull: Bool { count >= Self.countMax }
}

/// What the content of a refresh may take of its zone's memory, while it comes. Belongs to one worker.
final class RefreshRoom {
  private let account: ByteAccount
  private var reserved: Int
  private let bytesMax: Int
  /// It was to be more than the zone had.
  private(set) var hasFailed = false

  /// What is reserved at least: what is small may have grown.
  private static let firstBytes = 32_768

  /// Nil where there is none.
  /// - expected: How long the content probably is.
  init?(_ expected: Int, bytesMax: Int, in account: ByteAccount) {
    let first = min(max(expected, Self.firstBytes), bytesMax)
    guard account.reserve(first) else { return nil }
    reserved = first
    self.account = account
    self.bytesMax = bytesMax
  }

  deinit { account.give(reserved) }

  /// - Returns: false where there is not so much.
  func grow(to needed: Int) -> Bool {
    if needed <= reserved { return true }
    let more = max(needed, min(reserved * 2, bytesMax)) - reserved
    guard account.reserve(more) else {
      hasFailed = true
      return false
    }
    reserved += more
    return true
  }

  func giveBack() {
    account.give(reserved)
    reserved = 0
  }
}

extension CachePlugin {
  /// How long the service may take for one, its own timeouts aside: longer than requests wait, and short enough to
  /// end with a drain.
  private static let refreshNanoseconds: Int64 = 30_000_000_000

  /// Fetches a response anew, unless somebody does so, or it has failed a moment ago.
  func refresh(_ exchange: Exchange, _ facts: CacheRequest, _ stale: StoredResponse) {
    if refreshes.isFull { return }
    let hash = turnHash(exchange, stale)
    guard let fetch = zone.takeRefresh(hash, at: now, leadNanoseconds: Self.refreshNanoseconds) else {
      return
    }
    let turn = CacheTurn(fetch, in: zone, on: worker, leadNanoseconds: settings.lockNanoseconds)
    let content = stale.message.content.count
    guard let room = RefreshRoom(content, bytesMax: settings.contentBytesMax, in: zone.account) else {
      zone.noteFailedRefresh(hash, at: now)
      return
    }
    // All of it is wanted, whatever this client asks for. It gets a stored response, so that nothing of its own
    // request is lost.
    dropConditions(exchange)
    exchange.dropRequestField(Self.range)
    exchange.dropRequestField(Self.ifRange)
    let lines = exchange.requestLines(only: nil, without: Self.noNames)
    if stale.canBeValidated { exchange.addRequestLines(validators(of: stale)) }
    var request = SideRequest(Self.get, exchange.target(), timeoutNanoseconds: Self.refreshNanoseconds)
    request.host = exchange.hostForEndpoint
    request.lines = exchange.linesForEndpoint()
    request.responseBytesMax = settings.contentBytesMax
    request.mayKeep = { room.grow(to: $0) }
    let refresh = CacheRefresh(
      stale, hash, turn, purges: zone.purges, at: worker.now,
      StorageRules.Request(hasAuthorization: facts.hasAuthorization), lines, room, refreshes)
    exchange.sendAside(exchange.chosenService, request, countedBy: counters) { response in
      self.finish(refresh, response)
    }
  }

  private static let get = Array("GET".utf8)
  private static let noNames = FieldNames([String]())

  private func finish(_ refresh: CacheRefresh, _ response: SideResponse?) {
    guard let response, !Self.failures.contains(response.status) else { return fail(refresh) }
    if response.status == 304 { return freshen(refresh, response) }
    if let stored = stored(refresh, response) {
      return refresh.turn.end(zone.insert(stored, purges: refresh.purges, to: disk) ? .stored : .failed)
    }
    if response.status >= 500 || refresh.room.hasFailed { return fail(refresh) }
    // The endpoint has something else to say now, and it is not to be stored (RFC 9111 §4.3.3).
    zone.remove(refresh.stale)
    refresh.turn.end(.notStorable)
  }

  /// What is stale stays, for as long as it may be used.
  private func fail(_ refresh: CacheRefresh) {
    zone.noteFailedRefresh(refresh.hash, at: now)
    refresh.turn.end(.failed)
  }

  private func freshen(_ refresh: CacheRefresh, _ response: SideResponse) {
    let stale = refresh.stale
    let lines = withoutAge(response.lines)
    let news = Self.facts(304, response.lines, tagFields: [])
    guard stale.canBeValidated, !confirmsAnother(news, stale) else {
      zone.remove(stale)
      return refresh.turn.end(.failed)
    }
    let (fresh, mayStore) = freshened(
      stale, with: lines, age: news.age, refresh.request, delay: 0, at: refresh.began.nanoseconds)
    guard mayStore else {
      zone.remove(stale)
      return refresh.turn.end(.notStorable)
    }
    refresh.turn.end(zone.insert(fresh, purges: refresh.purges, to: disk) ? .stored : .failed)
  }

  /// Nil where it may not be stored, or there is no room.
  private func stored(_ refresh: CacheRefresh, _ response: SideResponse) -> StoredResponse? {
    guard response.isWhole else { return nil }
    var facts = Self.facts(response.status, response.lines, tagFields: settings.tagFields)
    facts.length = UInt64(response.content.count)
    guard
      let terms = try? settings.rules.terms(
        for: facts, to: refresh.request, at: wallClockSeconds, delay: 0),
      let selected = Selection.make(facts.vary, { Self.value(of: $0, in: refresh.lines) })
    else { return nil }
    var identity = refresh.stale.identity
    identity.selected = selected
    // It is copied now, and counts as what is stored.
    refresh.room.giveBack()
    let fill = CacheFill(
      identity, facts, lines: withoutAge(response.lines), terms, bytesMax: settings.contentBytesMax,
      in: zone.account)
    guard let fill, fill.append(response.content.span) else { return nil }
    // Its age is counted from when it was asked for, so that what it took counts (RFC 9111 §4.2.3).
    return fill.response(at: refresh.began.nanoseconds)
  }

  private var wallClockSeconds: Int64 { worker.seam.wallClockNanoseconds() / 1_000_000_000 }

  private func withoutAge(_ lines: [UInt8]) -> [UInt8] { StoredLines.without(Self.notKept, lines) }

  /// `Age` is counted anew, and a challenge of a proxy is for the gateway.
  private static let notKept = ["age", "proxy-authenticate", "trailer"].map { Array($0.utf8) }

  /// The values of all lines of a name, separated by commas; nil where there is none.
  static func value(of name: [UInt8], in lines: [UInt8]) -> [UInt8]? {
    var value: [UInt8]?
    let bytes = lines.span
    var cursor = LineCursor()
    while let field = cursor.next(in: bytes) {
      guard bytes.equalsIgnoringCase(field.name, lowercase: name) else { continue }
      value = (value.map { $0 + Array(", ".utf8) } ?? []) + lines[field.value.range]
    }
    return value
  }
}
