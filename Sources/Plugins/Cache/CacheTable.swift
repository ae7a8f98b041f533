import DataPlane
import HTTPCodec
import Synchronization

/// An entry as one worker knows it, with copies of what a hit touches: what several workers count references of
/// goes from core to core with each of them. Belongs to one worker.
final class LocalEntry {
  let shared: StoredResponse
  let hash: UInt64
  let terms: StorageTerms
  let storedAt: Int64
  let status: UInt16
  /// The whole of it.
  let answer: PluginAnswer
  private let url: [UInt8]
  private let partition: [UInt8]
  private let selected: [SelectedValue]

  init(_ shared: StoredResponse, hash: UInt64) {
    self.shared = shared
    self.hash = hash
    terms = shared.terms
    storedAt = shared.storedAt
    status = shared.message.status
    answer = PluginAnswer(
      stored: shared.message.status, lines: Self.copy(shared.message.lines), content: shared.message.content,
      range: 0..<shared.message.content.count)
    url = Self.copy(shared.identity.url)
    partition = Self.copy(shared.identity.partition)
    selected = shared.identity.selected.map {
      SelectedValue(name: Self.copy($0.name), value: $0.value.map(Self.copy))
    }
  }

  private static func copy(_ bytes: [UInt8]) -> [UInt8] {
    var copy: [UInt8] = []
    copy.reserveCapacity(bytes.count)
    for byte in bytes { copy.append(byte) }
    return copy
  }

  var isGone: Bool { shared.isGone.load(ordering: .relaxed) }

  func isRight(_ key: CacheKey, _ exchange: Exchange) -> Bool {
    hash == key.hash && key.isURL(url) && key.isPartition(partition)
      && (selected.isEmpty || Selection.holds(selected, for: exchange))
  }

  /// Seconds since it came.
  func age(at now: Int64) -> Int64 { max(0, now - storedAt) / 1_000_000_000 }
}

/// What one worker has used of a zone lately: small and with fixed places, so that nothing is searched. Belongs to one
/// worker.
final class CacheTable {
  private var entries: [LocalEntry?]
  private var turn = 0
  /// What its entries count as in their zone. What is evicted there stays for as long as it is known here: all
  /// workers together hold a quarter of the zone so at most.
  private var bytes = 0
  var bytesMax = 0

  private static let setCount = 1_024
  /// Places that a key may have: for variants, and for keys that meet.
  private static let wayCount = 4
  /// Larger ones are found in the zone: for them its lock is little.
  static let contentBytesMax = 65_536

  init() { entries = Array(repeating: nil, count: Self.setCount * Self.wayCount) }

  private static func set(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash) & (setCount - 1)
  }

  func find(_ key: CacheKey, _ exchange: Exchange) -> LocalEntry? {
    let first = Self.set(key.hash) * Self.wayCount
    for place in first..<first + Self.wayCount {
      guard let entry = entries[place], entry.hash == key.hash else { continue }
      if entry.isGone {
        forget(place)
      } else if entry.isRight(key, exchange) {
        return entry
      }
    }
    return nil
  }

  /// - Returns: nil where it is too large.
  func add(_ shared: StoredResponse, hash: UInt64) -> LocalEntry? {
    guard shared.message.content.count <= Self.contentBytesMax, shared.bytes <= bytesMax / 8 else {
      return nil
    }
    if bytes + shared.bytes > bytesMax { forgetAll() }
    let entry = LocalEntry(shared, hash: hash)
    let first = Self.set(hash) * Self.wayCount
    let free = (first..<first + Self.wayCount).first { entries[$0] == nil || entries[$0]?.isGone == true }
    turn &+= 1
    let place = free ?? first + turn & (Self.wayCount - 1)
    forget(place)
    entries[place] = entry
    bytes += shared.bytes
    forgetSome()
    return entry
  }

  private func forget(_ place: Int) {
    guard let entry = entries[place] else { return }
    bytes -= entry.shared.bytes
    entries[place] = nil
  }

  private func forgetAll() {
    for place in entries.indices { entries[place] = nil }
    bytes = 0
  }

  private var sweepPosition = 0

  /// What is gone is let go of little by little, whoever else looks there.
  private func forgetSome() {
    for _ in 0..<16 {
      sweepPosition = (sweepPosition + 1) % entries.count
      if entries[sweepPosition]?.isGone == true { forget(sweepPosition) }
    }
  }
}

/// Fields that a response varies by (RFC 9111 §4.1).
enum Selection {
  /// Those of a response's `Vary`, as this request has them; nil where they cannot be known: the gateway writes them
  /// itself, anew for each request.
  static func make(_ names: [[UInt8]], for exchange: Exchange) -> [SelectedValue]? {
    make(names) { exchange.sentValue(of: $0) }
  }

  /// - sentValue: Of the request, as it went to the endpoint.
  static func make(_ names: [[UInt8]], _ sentValue: ([UInt8]) -> [UInt8]?) -> [SelectedValue]? {
    var selected: [SelectedValue] = []
    for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      if unknown.contains(name) { return nil }
      selected.append(SelectedValue(name: name, value: sentValue(name)))
    }
    return selected
  }

  static func holds(_ selected: [SelectedValue], for exchange: Exchange) -> Bool {
    for one in selected where !holds(one, for: exchange) { return false }
    return true
  }

  private static func holds(_ one: SelectedValue, for exchange: Exchange) -> Bool {
    // Some fields whose names begin so are the gateway's: what a client says by them goes no further.
    let mayBeOwned = one.name.first == UInt8(ascii: "x")
    if mayBeOwned || exchange.hasRequestEdits { return exchange.sentValue(of: one.name) == one.value }
    let input = exchange.input
    let bytes = input.bytes
    var found: ByteRange?
    for field in exchange.request.fields where bytes.equalsIgnoringCase(field.name, lowercase: one.name) {
      if found != nil { return exchange.sentValue(of: one.name) == one.value }
      found = field.value
    }
    guard let found else { return one.value == nil }
    guard let value = one.value else { return false }
    return bytes.equals(found, value)
  }

  private static let unknown: Set<[UInt8]> = Set(
    [
      "x-forwarded-for", "forwarded", "x-request-id", "via", "client-cert", "client-cert-chain", "connection",
      "te",
    ]
    .map { Array($0.utf8) })
}
