import HTTPCodec
import Runtime

/// Hosts of routes to what they have: one hash for a host, and one more for each length that wildcards have.
///
/// Not for hosts of more than 255 bytes (RFC 1035 §2.3.4): they match nothing.
struct HostTable {
  private static let hostBytesMax = 255
  private static let exact: UInt32 = 0
  private static let wildcard: UInt32 = 1
  private static let dot: UInt8 = 0x2E

  /// What a host has.
  struct Entry: ByteTableValue {
    /// The route that takes every request for the host, where there is no other rule and no change under way:
    /// found without looking at rules, which 100,000 hosts have in memory that no cache holds.
    let onlyRoute: CompiledRoute?
    /// Number of its ``HostRules``.
    let rules: UInt32

    /// Of ``onlyRoute``.
    private let routePlace: MemoryPlace

    init(onlyRoute: CompiledRoute?, rules: UInt32) {
      self.onlyRoute = onlyRoute
      self.rules = rules
      routePlace = onlyRoute.map { MemoryPlace(of: $0) } ?? .nowhere
    }

    static var vacant: Entry { Entry(onlyRoute: nil, rules: .vacant) }
    var isVacant: Bool { rules.isVacant }

    @inline(__always)
    func prepare() { routePlace.prepare(bytes: 64) }
  }

  private let hash: ByteHash
  private var names = ByteTable<Entry>()
  private var exactCount = 0
  /// How many wildcards have as many labels behind the asterisk as the index says; the last element
  /// counts those with that many and more.
  private var wildcardCounts = InlineArray<64, UInt32>(repeating: 0)
  /// A bit for each element of `wildcardCounts` that is not zero.
  private var wildcardLabels: UInt64 = 0

  init(seed: UInt64) { hash = ByteHash(seed: seed) }

  var count: Int { names.count }

  // MARK: Looking up

  /// What a look-up for this very host, in any case, goes by.
  @inline(__always)
  func hash(of host: Span<UInt8>) -> UInt64 {
    guard exactCount > 0, host.count <= Self.hostBytesMax else { return 0 }
    return hash(host, from: 0, Self.exact)
  }

  /// Has the place of a host brought near, for a look-up that follows: 100,000 hosts have it in memory that no cache
  /// holds.
  @inline(__always)
  mutating func prepare(hash: UInt64) { names.prepare(hash: hash) }

  /// Has what that place leads to brought near, some time after the place.
  @inline(__always)
  mutating func prepareEntry(hash: UInt64) { names.prepareEntry(hash: hash) }

  /// What this very host has, in any case.
  /// - hash: Its ``hash(of:)``.
  @inline(__always)
  func exact(_ host: Span<UInt8>, hash: UInt64) -> Entry? {
    guard exactCount > 0, host.count <= Self.hostBytesMax else { return nil }
    return names.find(
      host, from: 0, to: host.count, hash: hash, scope: Self.exact, lowercases: true)
  }

  /// Where a search through the wildcards that cover a host stands.
  struct WildcardCursor {
    /// Where what follows the asterisk of the last one begins in the host.
    fileprivate(set) var position = 0
    /// Labels from `position` on; -1: not counted yet.
    fileprivate var labels = -1
  }

  var hasWildcards: Bool { wildcardLabels != 0 }

  /// The number of the rules of the next wildcard that covers the host, from the longest to the shortest, or nil.
  func nextWildcard(_ host: Span<UInt8>, _ cursor: inout WildcardCursor) -> UInt32? {
    guard host.count <= Self.hostBytesMax else { return nil }
    if cursor.labels < 0 { cursor.labels = labelCount(host) }
    while cursor.labels > 1 {
      while host[cursor.position] != Self.dot { cursor.position &+= 1 }
      cursor.position &+= 1
      cursor.labels &-= 1
      // An asterisk stands for at least one label.
      if cursor.position == 1 { continue }
      let bit = min(cursor.labels, 63)
      if wildcardLabels &>> UInt64(bit) & 1 == 0 { continue }
      let hash = hash(host, from: cursor.position, Self.wildcard)
      if let entry = names.find(
        host, from: cursor.position, to: host.count, hash: hash, scope: Self.wildcard, lowercases: true)
      {
        return entry.rules
      }
    }
    return nil
  }

  @inline(__always)
  private func hash(_ host: Span<UInt8>, from start: Int, _ scope: UInt32) -> UInt64 {
    hash.hashIgnoringCase(host, from: start, to: host.count, after: UInt64(scope))
  }

  private func labelCount(_ host: Span<UInt8>) -> Int {
    var count = 1
    for index in host.indices where host[index] == Self.dot { count &+= 1 }
    return count
  }

  // MARK: Changing

  /// The number of the rules of a route's host as it is written, `api.example.com` or `*.example.com`.
  func number(of host: String) -> UInt32? {
    let (name, scope) = Self.split(host)
    let hash = hash.hash(name.span, from: 0, to: name.count, after: UInt64(scope))
    return names.find(name.span, from: 0, to: name.count, hash: hash, scope: scope)?.rules
  }

  /// Adds a host that is not there yet.
  mutating func insert(_ host: String, number: UInt32) {
    let (name, scope) = set(host, to: Entry(onlyRoute: nil, rules: number))
    count(name, scope, by: 1)
  }

  /// Gives a host that is there its only route, or takes it away.
  mutating func setOnlyRoute(of host: String, number: UInt32, to route: CompiledRoute?) {
    set(host, to: Entry(onlyRoute: route, rules: number))
  }

  @discardableResult
  private mutating func set(_ host: String, to entry: Entry) -> (name: [UInt8], scope: UInt32) {
    let (name, scope) = Self.split(host)
    let hash = hash.hash(name.span, from: 0, to: name.count, after: UInt64(scope))
    names.set(name.span, hash: hash, scope: scope, to: entry)
    return (name, scope)
  }

  mutating func remove(_ host: String) {
    let (name, scope) = Self.split(host)
    let hash = hash.hash(name.span, from: 0, to: name.count, after: UInt64(scope))
    guard names.remove(name.span, hash: hash, scope: scope) else { return }
    count(name, scope, by: -1)
  }

  private mutating func count(_ name: [UInt8], _ scope: UInt32, by change: Int) {
    if scope == Self.exact {
      exactCount += change
      return
    }
    let labels = min(labelCount(name.span), 63)
    wildcardCounts[labels] = UInt32(Int(wildcardCounts[labels]) + change)
    if wildcardCounts[labels] == 0 {
      wildcardLabels &= ~(1 << UInt64(labels))
    } else {
      wildcardLabels |= 1 << UInt64(labels)
    }
  }

  /// What is looked up: a name in lower case without `*.`, and which kind it is.
  private static func split(_ host: String) -> (name: [UInt8], scope: UInt32) {
    let text = host.utf8.span
    let isWildcard = text.count >= 2 && text[0] == 0x2A && text[1] == dot
    var name: [UInt8] = []
    name.reserveCapacity(text.count)
    for index in (isWildcard ? 2 : 0)..<text.count { name.append(text[index].asciiLowercased) }
    return (name, isWildcard ? wildcard : exact)
  }
}
