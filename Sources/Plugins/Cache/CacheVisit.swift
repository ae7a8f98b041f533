import DataPlane
import HTTPCodec
import Runtime

/// What a request that goes to an endpoint is to the cache. Belongs to one worker.
final class CacheVisit {
  /// Why it was forwarded, in the words of RFC 9211 §2.2.
  enum Reason: String {
    case bypass, method, request, stale
    case uriMiss = "uri-miss"
    case varyMiss = "vary-miss"
  }

  private(set) var reason: Reason
  let facts: CacheRequest
  let identity: StoredResponse.Identity
  /// Of when it was begun; see ``CacheZone/purges``.
  let purges: UInt64
  /// Its response may be stored.
  var mayStore = false
  /// What is stored for it, which may not be used just so.
  var stale: StoredResponse?
  /// The endpoint was asked whether ``stale`` still holds.
  var isValidating = false
  /// Others wait for it.
  var turn: CacheTurn?
  /// Whom it waits for.
  var awaited: CacheFetch?
  /// Is woken when a file has been read that may be what it is for.
  var awaitedFile: WakeHandle?
  /// That file, where it is sent while it is read.
  var streamedFile: StreamedFile?
  /// It has waited for another.
  var isCollapsed = false
  /// A plugin's answer has the cache's fields already.
  var isAnswered = false
  var fill: CacheFill?

  init(_ reason: Reason, _ facts: CacheRequest, _ key: CacheKey, purges: UInt64) {
    self.reason = reason
    self.facts = facts
    self.purges = purges
    identity = StoredResponse.Identity(
      hash: key.urlHash, url: key.url.copy(0..<key.url.count),
      partition: key.partition.copy(0..<key.partition.count),
      selected: [])
  }

  /// What is stored has turned out to be something else.
  func decide(_ reason: Reason, _ stale: StoredResponse?) {
    self.reason = reason
    self.stale = stale
  }
}

/// A response that is being stored. Belongs to one worker.
final class CacheFill {
  private let buffer: Buffer
  private let account: ByteAccount
  private var reserved: Int
  private let bytesMax: Int
  let terms: StorageTerms
  private let identity: StoredResponse.Identity
  private let facts: ResponseFacts
  private let lines: [UInt8]

  /// What is reserved for content of unknown length at first.
  private static let firstBytes = 32_768

  /// Nil where there is no room.
  init?(
    _ identity: StoredResponse.Identity, _ facts: ResponseFacts, lines: [UInt8], _ terms: StorageTerms,
    bytesMax: Int, in account: ByteAccount
  ) {
    let first = facts.length.map { Int(min($0, UInt64(Int32.max))) } ?? min(Self.firstBytes, bytesMax)
    guard first <= bytesMax, account.reserve(first) else { return nil }
    reserved = first
    buffer = Buffer(capacity: max(1, first))
    self.account = account
    self.bytesMax = bytesMax
    self.terms = terms
    self.identity = identity
    self.facts = facts
    self.lines = lines
  }

  deinit { account.give(reserved) }

  /// - Returns: false where it is too large.
  func append(_ content: Span<UInt8>) -> Bool {
    let needed = buffer.count + content.count
    guard needed <= bytesMax else { return false }
    if needed > reserved {
      let more = min(max(reserved * 2, needed), bytesMax) - reserved
      guard account.reserve(more) else { return false }
      reserved += more
    }
    buffer.append(content)
    return true
  }

  /// - now: Nanoseconds of the monotonic clock, when the head came.
  func response(at now: Int64) -> StoredResponse {
    let message = StoredResponse.Message(
      status: facts.status, lines: lines, content: FrozenBytes(buffer), entityTag: facts.entityTag,
      lastModified: facts.lastModified, tags: facts.tags)
    return StoredResponse(identity, message, terms, at: now, in: account)
  }
}
