/// Remembers streams that are over, after their slots were freed: what their peers may still send is
/// dropped, and what they must not send is an error (RFC 9113 §5.1, "closed").
struct ClosedStreams: Sendable {
  /// How many streams that were closed from this end are remembered: more than a peer may have open.
  static let droppedMax = 256
  /// How many that the peer had ended are remembered, for a precise error code only.
  static let endedMax = 32

  private var dropped = IdentifierRing(countMax: droppedMax)
  private var ended = IdentifierRing(countMax: endedMax)

  /// Remembers a stream that was closed from this end before the peer was done.
  mutating func appendDropped(_ streamID: UInt32) { dropped.append(streamID) }

  /// Remembers a stream that the peer had ended or reset.
  mutating func appendEnded(_ streamID: UInt32) { ended.append(streamID) }

  /// Whether frames for a stream are dropped. Streams that are too old to be remembered may have been
  /// closed from this end: theirs are dropped too.
  func drops(_ streamID: UInt32) -> Bool {
    streamID <= dropped.highestForgotten || dropped.contains(streamID)
  }

  func hasEnded(_ streamID: UInt32) -> Bool { ended.contains(streamID) }
}

/// The last identifiers of many.
private struct IdentifierRing: Sendable {
  private let countMax: Int
  private var identifiers: [UInt32] = []
  private var next = 0
  private(set) var highestForgotten: UInt32 = 0

  init(countMax: Int) { self.countMax = countMax }

  mutating func append(_ identifier: UInt32) {
    if identifiers.count < countMax {
      identifiers.append(identifier)
      return
    }
    highestForgotten = max(highestForgotten, identifiers[next])
    identifiers[next] = identifier
    next = next &+ 1 == countMax ? 0 : next &+ 1
  }

  func contains(_ identifier: UInt32) -> Bool { identifiers.contains(identifier) }
}
