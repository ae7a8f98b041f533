import Runtime

/// Something that arrives at a host.
enum Delivery {
  /// A connection attempt, at the listener's host.
  case attempt(ConnectionEnd, tries: Int)
  /// The answer to an attempt, at the client.
  case attemptAnswered(ConnectionEnd, accepted: Bool)
  /// The client's confirmation, at the listener's host.
  case attemptConfirmed(ConnectionEnd)
  case bytes(ConnectionEnd, [UInt8])
  case finish(ConnectionEnd)
  case reset(ConnectionEnd)
  /// The receiver has read so many bytes.
  case credit(ConnectionEnd, Int)
  /// A sender that was stopped by chance may go on.
  case mayResume(ConnectionEnd)
}

/// Deliveries by time; those of one time in the order in which they were sent.
struct DeliveryQueue {
  private struct Entry {
    let time: MonotonicTime
    let number: UInt64
    let delivery: Delivery

    func isBefore(_ other: Entry) -> Bool {
      time != other.time ? time < other.time : number < other.number
    }
  }

  /// A binary heap.
  private var entries: [Entry] = []
  private var lastNumber: UInt64 = 0

  var count: Int { entries.count }
  var nextTime: MonotonicTime? { entries.first?.time }

  mutating func add(_ delivery: Delivery, at time: MonotonicTime) {
    lastNumber += 1
    entries.append(Entry(time: time, number: lastNumber, delivery: delivery))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].isBefore(entries[parent]) else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes the next delivery that is due at `time`.
  mutating func take(dueAt time: MonotonicTime) -> Delivery? {
    guard let first = entries.first, first.time <= time else { return nil }
    let last = entries.removeLast()
    if !entries.isEmpty {
      entries[0] = last
      siftDown()
    }
    return first.delivery
  }

  private mutating func siftDown() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child].isBefore(entries[least]) {
        least = child
      }
      if least == parent { return }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
