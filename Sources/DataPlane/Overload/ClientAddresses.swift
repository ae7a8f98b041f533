import Runtime

/// What one worker knows of client addresses: their connections, and the TLS handshakes that they have begun
/// of late, where these have a limit. Looked at when connections come and go, never by a request.
struct ClientAddresses {
  /// An IPv4 address, or an IPv6 network of 64 bits: what one subscriber gets.
  struct Key: Hashable {
    private let high: UInt64
    private let low: UInt64

    init(_ address: SocketAddress) {
      func word(_ range: Range<Int>) -> UInt64 {
        range.reduce(0) { $0 << 8 | UInt64(address.octets[$1]) }
      }
      high = word(0..<8)
      low = address.isIPv4 ? word(8..<16) : 0
    }
  }

  private struct Entry {
    var connections = 0
    /// Handshakes that may begin now, in billionths.
    var handshakeCredit: Int64 = 0
    var creditedAt: MonotonicTime
  }

  /// Addresses are looked for by a hash with a random seed: nobody can choose addresses that collide.
  private var entries: [Key: Entry] = [:]
  private var sweepAt = 1_024

  var count: Int { entries.count }
  /// Of the address that has most.
  var connectionsMax: Int { entries.values.reduce(0) { max($0, $1.connections) } }

  /// Counts a connection.
  /// - Returns: false when the address has as many as it may.
  mutating func connect(_ key: Key, limit: Int, now: MonotonicTime) -> Bool {
    if entries.count >= sweepAt { sweep(now) }
    guard var entry = entries[key] else {
      entries[key] = Entry(connections: 1, creditedAt: now.advanced(byNanoseconds: -Self.creditNanoseconds))
      return limit > 0
    }
    if entry.connections >= limit { return false }
    entry.connections += 1
    entries[key] = entry
    return true
  }

  mutating func disconnect(_ key: Key, now: MonotonicTime) {
    guard var entry = entries[key] else { return }
    entry.connections -= 1
    // Its credit is remembered until it is whole again.
    let isForgotten =
      entry.connections <= 0 && now.nanoseconds(since: entry.creditedAt) >= Self.creditNanoseconds
    entries[key] = isForgotten ? nil : entry
  }

  /// Takes one handshake from the address's credit, which grows by `rate` a second, to twice that.
  /// - Returns: false when nothing is left.
  mutating func takeHandshake(_ key: Key, rate: Int, now: MonotonicTime) -> Bool {
    var entry = entries[key] ?? Entry(creditedAt: now.advanced(byNanoseconds: -Self.creditNanoseconds))
    let passed = min(now.nanoseconds(since: entry.creditedAt), Self.creditNanoseconds)
    let most = Int64(rate) * Self.creditNanoseconds
    entry.handshakeCredit = min(entry.handshakeCredit + passed * Int64(rate), most)
    entry.creditedAt = now
    let isAllowed = entry.handshakeCredit >= Self.handshake
    if isAllowed { entry.handshakeCredit -= Self.handshake }
    entries[key] = entry
    return isAllowed
  }

  private static let handshake: Int64 = 1_000_000_000
  /// In this time an empty credit becomes whole.
  private static let creditNanoseconds: Int64 = 2_000_000_000

  /// Forgets those without connections whose credit is whole again. As many connections come before the
  /// next time as there are entries left, so that each of them pays for one.
  private mutating func sweep(_ now: MonotonicTime) {
    entries = entries.filter {
      $0.value.connections > 0 || now.nanoseconds(since: $0.value.creditedAt) < Self.creditNanoseconds
    }
    sweepAt = max(1_024, entries.count * 2)
  }
}
