/// How bytes travel between two hosts.
public struct Link: Sendable, Equatable {
  /// One way.
  public var latency = Duration.microseconds(100)
  /// Each segment takes up to this much longer, by chance. Segments stay in order.
  public var jitter = Duration.zero
  /// Bytes per second and direction; `nil`: no limit.
  public var bandwidth: Int?
  /// Bytes that a sender may hand over before the first of them are on the wire.
  public var sendBufferBytes = 65_536
  /// Bytes that may be on the wire or unread at the receiver.
  public var receiveBufferBytes = 65_536
  /// The largest segment; what is sent at once may arrive in pieces of this size.
  public var segmentBytesMax = 16_384
  /// Segments have a size by chance, from one byte to the largest.
  public var hasRandomSegments = false
  /// Of a hundred sends, how many take fewer bytes than they were given, perhaps none.
  public var shortSendPercent = 0

  public init() {}

  public init(latency: Duration) { self.latency = latency }

  /// Everything in pieces, late and by chance.
  public static var rough: Link {
    var link = Link(latency: .milliseconds(1))
    link.jitter = .milliseconds(3)
    link.segmentBytesMax = 3_000
    link.hasRandomSegments = true
    link.shortSendPercent = 20
    link.sendBufferBytes = 4_096
    link.receiveBufferBytes = 4_096
    return link
  }
}
