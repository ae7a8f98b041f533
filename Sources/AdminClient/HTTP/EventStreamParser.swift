/// Reads server-sent events (WHATWG HTML §9.2.6) from pieces of bytes.
struct EventStreamParser: Sendable {
  struct Event: Sendable, Equatable {
    var name: String
    var id: String
    var data: String
  }

  /// A line with more than this is a mistake of the sender: a summary names at most 100 resources.
  static let eventBytesMax = 1 << 20

  private var line: [UInt8] = []
  private var name = ""
  private var id = ""
  private var data: [String] = []
  private var dataBytes = 0
  private var followsCarriageReturn = false

  /// The events that these bytes complete.
  mutating func feed(_ bytes: [UInt8]) throws(ClientFailure) -> [Event] {
    var events: [Event] = []
    for byte in bytes {
      defer { followsCarriageReturn = byte == 0x0D }
      if byte == 0x0A, followsCarriageReturn { continue }
      guard byte == 0x0A || byte == 0x0D else {
        line.append(byte)
        guard line.count + dataBytes <= Self.eventBytesMax else {
          throw .malformedAnswer("an event of more than \(Self.eventBytesMax) bytes")
        }
        continue
      }
      if line.isEmpty {
        if let event = take() { events.append(event) }
      } else {
        read(String(decoding: line, as: UTF8.self))
        line.removeAll(keepingCapacity: true)
      }
    }
    return events
  }

  private mutating func take() -> Event? {
    defer {
      name = ""
      data = []
      dataBytes = 0
    }
    guard !data.isEmpty else { return nil }
    return Event(name: name, id: id, data: data.joined(separator: "\n"))
  }

  private mutating func read(_ line: String) {
    let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var value = parts.count > 1 ? parts[1] : ""
    if value.hasPrefix(" ") { value = value.dropFirst() }
    switch parts[0] {
    case "event": name = String(value)
    case "id": id = String(value)
    case "data":
      data.append(String(value))
      dataBytes += value.utf8.count + 1
    // Comments have an empty name; other fields are none of ours.
    default: break
    }
  }
}
