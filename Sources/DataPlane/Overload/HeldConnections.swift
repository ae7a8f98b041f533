/// Connections whose next request waits, unread, for the end of an overload or for its refusal.
struct HeldConnections {
  private struct Entry {
    let connection: ClientConnection
    /// Which of its parks it was held in: later ones are none of this entry's business.
    let park: UInt32

    var isHeld: Bool { connection.isHeld && connection.parkNumber == park }
  }

  private var entries: [Entry] = []
  private var first = 0

  var isEmpty: Bool { first == entries.count }
  /// Those that are held now, without those whose clients have left; looks at all.
  var count: Int { entries[first...].count { $0.isHeld } }

  mutating func append(_ connection: ClientConnection) {
    entries.append(Entry(connection: connection, park: connection.parkNumber))
  }

  /// The one that has waited for longest.
  mutating func popOldest() -> ClientConnection? {
    while first < entries.count {
      let entry = entries[first]
      first += 1
      dropPassed()
      if entry.isHeld { return entry.connection }
    }
    return nil
  }

  /// The one that came last: its client is the likeliest to be still there.
  mutating func popNewest() -> ClientConnection? {
    while first < entries.count, let entry = entries.popLast() {
      if entry.isHeld { return entry.connection }
    }
    return nil
  }

  private mutating func dropPassed() {
    guard first == entries.count || first > 1_024 && first > entries.count / 2 else { return }
    entries.removeSubrange(0..<first)
    first = 0
  }
}
