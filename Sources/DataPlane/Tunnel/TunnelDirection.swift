import HTTPCodec
import Runtime

/// One direction of a tunnel: at most one buffer of what the receiver has not taken yet.
struct TunnelDirection {
  /// Received and not sent; held only while there is something.
  private var pending: Buffer?
  /// The sender will send no more.
  private(set) var hasEnded = false
  /// The receiver was told so.
  private(set) var hasFinished = false
  /// Set for WebSocket.
  private var frames: WebSocketFrames?
  private var mustClose = false
  /// The receiver was told that the connection ends: nothing may follow (RFC 6455 §5.5.1).
  private var hasSaidClose = false
  private let closeFrame: [UInt8]
  private(set) var byteCount: UInt64 = 0

  init(followsFrames: Bool, closeFrame: [UInt8]) {
    frames = followsFrames ? WebSocketFrames() : nil
    self.closeFrame = closeFrame
  }

  enum Progress {
    case waits
    /// Something went through, and there may be more.
    case more
    case failed
  }

  /// Puts bytes in front that were received before the tunnel began. Those of `head` are not frames.
  mutating func begin(head: Buffer?, _ content: Buffer, from start: Int, on worker: Worker) {
    let headCount = head?.count ?? 0
    guard headCount > 0 || content.count > start else { return }
    let buffer = worker.buffers.take()
    if let head { buffer.append(head, range: 0..<head.count) }
    if content.count > start {
      note(content.bytes.extracting(start..<content.count))
      buffer.append(content, range: start..<content.count)
      byteCount += UInt64(content.count - start)
    }
    pending = buffer
  }

  private mutating func note(_ bytes: Span<UInt8>) { frames?.note(bytes) }

  /// Moves what can be moved with one receive, and asks both ends for news of what it waits for.
  mutating func advance(from sender: Transport, to receiver: Transport) -> Progress {
    if pending != nil {
      guard let sent = send(to: receiver) else { return .failed }
      if !sent {
        receiver.interest.insert(.writable)
        return .waits
      }
    }
    if mustClose, let progress = close(to: receiver) { return progress }
    if hasEnded { return finish(receiver) }
    guard !sender.readiness.isDisjoint(with: [.readable, .peerClosed]) else { return wait(sender) }
    let worker = sender.worker
    let buffer = worker.buffers.take()
    let result = sender.receive(into: buffer)
    if result.bytes > 0 {
      byteCount += UInt64(result.bytes)
      if hasSaidClose {
        worker.buffers.give(buffer)
        return .more
      }
      note(buffer.bytes)
      pending = buffer
      guard let sent = send(to: receiver) else { return .failed }
      if sent { return .more }
      receiver.interest.insert(.writable)
      return .waits
    }
    worker.buffers.give(buffer)
    if result.isWouldBlock { return wait(sender) }
    if result.isError { return .failed }
    hasEnded = true
    return finish(receiver)
  }

  private func wait(_ sender: Transport) -> Progress {
    sender.interest.formUnion([.readable, .peerClosed])
    return .waits
  }

  /// - Returns: whether all was sent; nil when the receiver is gone.
  private mutating func send(to receiver: Transport) -> Bool? {
    guard let buffer = pending else { return true }
    let result = receiver.send(buffer)
    if result.isError { return nil }
    if result.bytes > 0 { buffer.consume(result.bytes) }
    guard buffer.isEmpty else { return false }
    receiver.worker.buffers.give(buffer)
    pending = nil
    return true
  }

  private mutating func finish(_ receiver: Transport) -> Progress {
    if hasFinished { return .waits }
    hasFinished = true
    receiver.shutdownSending()
    return .waits
  }

  /// Asks that the receiver be told that the connection ends, when a frame allows it.
  mutating func closeWhenPossible() {
    if frames != nil && !hasEnded { mustClose = true }
  }

  private mutating func close(to receiver: Transport) -> Progress? {
    guard let frames, frames.isAtBoundary else { return nil }
    mustClose = false
    if frames.hasClosed { return nil }
    let buffer = receiver.worker.buffers.take()
    buffer.append(closeFrame)
    note(buffer.bytes)
    pending = buffer
    hasSaidClose = true
    guard let sent = send(to: receiver) else { return .failed }
    if sent { return .more }
    receiver.interest.insert(.writable)
    return .waits
  }

  /// Gives back what it holds.
  mutating func drop(on worker: Worker) {
    if let pending { worker.buffers.give(pending) }
    pending = nil
  }
}
