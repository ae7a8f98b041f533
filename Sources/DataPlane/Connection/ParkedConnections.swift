/// Parked client connections, the longest idle first, for when descriptors or the connection limit
/// run out.
///
/// Entries are not removed when a connection wakes up: each park has a number, and an entry whose
/// number is not its connection's latest is passed over. Parking is an append.
struct ParkedConnections {
  private struct Entry {
    let connection: ClientConnection
    let park: UInt32
  }

  private var entries: [Entry] = []
  private var first = 0
  private(set) var count = 0

  mutating func add(_ connection: ClientConnection) {
    if entries.count - first > 2 * count + 64 || first > entries.count / 2 + 64 { compact() }
    entries.append(Entry(connection: connection, park: connection.parkNumber))
    count += 1
  }

  /// A parked connection has woken up or was closed.
  mutating func left() { count -= 1 }

  /// The connection that has been idle for longest.
  mutating func longestIdle() -> ClientConnection? {
    while first < entries.count {
      let entry = entries[first]
      if Self.isCurrent(entry) { return entry.connection }
      first += 1
    }
    return nil
  }

  private mutating func compact() {
    entries.removeSubrange(0..<first)
    first = 0
    entries.removeAll { !Self.isCurrent($0) }
  }

  private static func isCurrent(_ entry: Entry) -> Bool {
    entry.connection.isParked && entry.connection.parkNumber == entry.park
  }
}
