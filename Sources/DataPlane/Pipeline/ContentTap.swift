import HTTPCodec
import Runtime

/// Sees a request's content as it comes, for a plugin. The content goes on as without it. Every call is on the
/// worker's thread, and must not block.
open class ContentTap {
  public init() {}

  /// Further content, without framing.
  open func take(_ bytes: Span<UInt8>, of exchange: Exchange) {}

  /// What was taken comes once more, for another attempt.
  open func restart(_ exchange: Exchange) {}

  /// All of it was taken. The last call.
  open func end(_ exchange: Exchange) {}

  /// The rest does not come: the client has gone, or the request failed. The last call.
  open func abandon(_ exchange: Exchange) {}
}

extension Exchange {
  /// Has the tap see the request's content, from its first byte. In ``Plugin/serviceChosen(_:)``.
  public func tapContent(_ tap: ContentTap) {
    let input = input
    // Chunks are decoded when they go on.
    if !upload.isChunked, !upload.staged.isEmpty {
      tap.take(input.bytes.extracting(upload.staged), of: self)
    }
    if upload.isRead { tap.end(self) } else { contentTaps.append(tap) }
  }

  /// The content's length, as far as it is known.
  public var requestContentLength: UInt64? {
    switch request.framing {
    case .none: 0
    case .length(let length): length
    default: nil
    }
  }

  /// Counts what a plugin keeps of messages against `http.limits.bufferBytes`, until ``releaseBytes(_:)``.
  public func holdBytes(_ count: Int) {
    data.buffers.hold(count)
    data.lookAtBuffers()
  }

  public func releaseBytes(_ count: Int) { data.buffers.release(count) }

  func tap(_ source: Buffer, _ range: Range<Int>) {
    for tap in contentTaps { tap.take(source.bytes.extracting(range), of: self) }
  }

  func endTaps() {
    let taps = contentTaps
    contentTaps.removeAll(keepingCapacity: true)
    for tap in taps { tap.end(self) }
  }

  func abandonTaps() {
    let taps = contentTaps
    contentTaps.removeAll(keepingCapacity: true)
    for tap in taps { tap.abandon(self) }
  }
}
