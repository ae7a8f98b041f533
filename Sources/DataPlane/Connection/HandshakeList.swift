import Runtime

/// TLS handshakes with clients that are under way, the oldest first.
///
/// Where there are too many, clients that began and went silent must not keep others out: the oldest
/// gives way to a new one, as long as it has had a second, in which a real client gets on.
struct HandshakeList {
  static let patienceNanoseconds: Int64 = 1_000_000_000

  private var connections: [ClientConnection] = []
  private var first = 0
  /// Under way now.
  private(set) var count = 0

  mutating func add(_ connection: ClientConnection) {
    count += 1
    dropEnded()
    connections.append(connection)
  }

  mutating func ended() { count -= 1 }

  mutating func oldest() -> ClientConnection? {
    dropEnded()
    return first < connections.count ? connections[first] : nil
  }

  /// Those at the front that have ended; the memory goes when they are half of it.
  private mutating func dropEnded() {
    while first < connections.count, !connections[first].isHandshaking { first += 1 }
    guard first > connections.count / 2 else { return }
    connections.removeSubrange(0..<first)
    first = 0
  }
}
