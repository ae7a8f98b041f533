import HTTPCodec
import Runtime
import Synchronization

/// A field that a response varies by, with the value of the request that it was for.
struct SelectedValue: Sendable, Equatable {
  /// In lower case.
  var name: [UInt8]
  /// As it went to the endpoint; nil where the request had none.
  var value: [UInt8]?
}

/// A response as an endpoint has sent it. Immutable but for its marks; from any thread.
final class StoredResponse: CacheEntry {
  /// What is told apart: the URL, and what else makes requests for it different.
  struct Identity: Sendable, Equatable {
    /// Of ``url``.
    var hash: UInt64
    var url: [UInt8]
    var partition: [UInt8]
    var selected: [SelectedValue]
  }

  struct Message: Sendable {
    var status: UInt16
    /// Fields as `name: value` and CRLF each, without those of the framing and without `Age`.
    var lines: [UInt8]
    var content: FrozenBytes
    var entityTag: [UInt8]
    /// Seconds since 1970.
    var lastModified: Int64?
    var tags: [[UInt8]]
  }

  let identity: Identity
  let message: Message
  let terms: StorageTerms
  /// When it came, or was last found valid: nanoseconds of the monotonic clock.
  let storedAt: Int64
  /// What it counts as in its zone.
  let bytes: Int
  private let account: ByteAccount
  /// Somebody has used it since the hand of its queue last came by.
  let wasUsed = Atomic(false)
  /// To a second: nanoseconds of the monotonic clock.
  private let lastUse: Atomic<Int64>
  /// It was replaced, purged or evicted: workers that still know it forget it.
  let isGone = Atomic(false)

  init(
    _ identity: Identity, _ message: Message, _ terms: StorageTerms, at storedAt: Int64,
    in account: ByteAccount
  ) {
    self.identity = identity
    self.message = message
    self.terms = terms
    self.storedAt = storedAt
    lastUse = Atomic(storedAt)
    self.account = account
    bytes = Self.bytes(identity, message)
    account.take(bytes)
  }

  deinit { account.give(bytes) }

  /// With the objects, and the places in tables, that each entry costs.
  private static let overheadBytes = 512

  private static func bytes(_ identity: Identity, _ message: Message) -> Int {
    let selected = identity.selected.reduce(0) { $0 + $1.name.count + ($1.value?.count ?? 0) + 64 }
    let tags = message.tags.reduce(0) { $0 + $1.count + 48 }
    return overheadBytes + identity.url.count + identity.partition.count + selected + message.lines.count
      + message.content.count + message.entityTag.count + tags
  }

  /// Seconds since it came.
  func age(at now: Int64) -> Int64 { max(0, now - storedAt) / 1_000_000_000 }

  /// Whether it can be validated with the endpoint.
  var canBeValidated: Bool { !message.entityTag.isEmpty || message.lastModified != nil }

  /// Whether it may be sent though the endpoint has failed.
  func mayReplaceFailure(at now: Int64) -> Bool {
    if terms.mustRevalidate { return false }
    let staleness = terms.initialAge + age(at: now) - terms.lifetime
    return staleness < max(terms.staleIfError, terms.staleWhileRevalidate)
  }

  /// Whether it is of any use still: it is fresh, may be used stale, or can be validated.
  func isOfUse(at now: Int64) -> Bool {
    canBeValidated || terms.isOfUse(age: age(at: now))
  }

  func forget() { isGone.store(true, ordering: .relaxed) }

  var tags: [[UInt8]] { message.tags }

  func takeMark() -> Bool { wasUsed.exchange(false, ordering: .relaxed) }

  /// - now: Nanoseconds of the monotonic clock.
  func noteUse(at now: Int64) {
    // Read first: what is written to goes from core to core.
    if !wasUsed.load(ordering: .relaxed) { wasUsed.store(true, ordering: .relaxed) }
    if now - usedAt >= 1_000_000_000 { lastUse.store(now, ordering: .relaxed) }
  }

  var usedAt: Int64 { lastUse.load(ordering: .relaxed) }
}

/// The bytes that the entries of a zone hold, with what is being received for it. From any thread.
///
/// An entry counts until nobody sends from it any more.
final class ByteAccount: Sendable {
  private let held = Atomic(0)
  /// What entries may have.
  private let limitBytes: Atomic<Int>

  init(limit: Int) { limitBytes = Atomic(limit) }

  var heldBytes: Int { held.load(ordering: .relaxed) }
  var limit: Int {
    get { limitBytes.load(ordering: .relaxed) }
    set { limitBytes.store(newValue, ordering: .relaxed) }
  }

  func take(_ bytes: Int) { held.add(bytes, ordering: .relaxed) }
  func give(_ bytes: Int) { held.subtract(bytes, ordering: .relaxed) }

  /// For what is being received: half as much above the limit, so that new responses can come while old ones are
  /// still being sent, or known to a worker.
  /// - Returns: false where there is no room.
  func reserve(_ bytes: Int) -> Bool {
    let after = held.add(bytes, ordering: .relaxed).newValue
    if after <= limit + limit / 2 { return true }
    give(bytes)
    return false
  }
}
