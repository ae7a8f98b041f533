/// Parked client connections, the longest idle first, for when descriptors or the connection limit
/// run out.
///
/// A connection is listed once, when it is parked first. To be parked again costs nothing: whoever
/// looks for the longest idle puts those behind that were busy since they were looked at last, as
/// the clock algorithm of page replacement does.
struct ParkedConnections {
  private struct Entry {
    let connection: ClientConnection
    /// The connection's latest park when it was listed or looked at.
    var park: UInt32
  }

  private var entries: [Entry] = []
  private var first = 0
  private var closedCount = 0
  /// Parked now.
  private(set) var count = 0

  mutating func add(_ connection: ClientConnection) {
    count += 1
    if connection.isListed { return }
    connection.isListed = true
    entries.append(Entry(connection: connection, park: connection.parkNumber))
  }

  /// A parked connection has woken up.
  mutating func left() { count -= 1 }

  /// A connection has ended. Its entry goes when there are many of these.
  mutating func closed(_ connection: ClientConnection) {
    guard connection.isListed else { return }
    closedCount += 1
    guard closedCount > (entries.count - first) / 2 + 64 else { return }
    dropPassed()
    entries.removeAll { !$0.connection.socket.isOpen }
    closedCount = 0
  }

  private mutating func dropPassed() {
    entries.removeSubrange(0..<first)
    first = 0
  }

  /// Connections that a search looks at: where these are all busy, few are idle.
  private static let looksMax = 64

  /// The connection that has been idle for longest, as far as is known.
  mutating func longestIdle() -> ClientConnection? {
    if first > entries.count / 2 + Self.looksMax { dropPassed() }
    for _ in 0..<min(entries.count - first, Self.looksMax) {
      var entry = entries[first]
      let connection = entry.connection
      if connection.isParked && connection.parkNumber == entry.park { return connection }
      first += 1
      if connection.socket.isOpen {
        entry.park = connection.parkNumber
        entries.append(entry)
      } else {
        closedCount -= 1
      }
    }
    return nil
  }
}
