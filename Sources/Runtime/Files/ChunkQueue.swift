import Synchronization

/// Hands chunks of lines from workers to a thread that writes them, and empty buffers back.
///
/// Bounded: a chunk that does not fit is refused, so that a stalled disk costs lines and neither
/// memory nor a worker's time. One short lock per chunk.
public final class ChunkQueue: Sendable {
  /// A chunk on its way.
  ///
  /// `@unchecked Sendable`: it belongs to the queue until it is taken, and then to the taker.
  public struct Chunk: @unchecked Sendable {
    public let buffer: Buffer
    public let lines: Int
  }

  private struct State: ~Copyable {
    var pending: [Chunk] = []
    var pendingBytes = 0
    var free: [Chunk] = []
  }

  /// Empty buffers kept for reuse; more are freed.
  private static let freeMax = 64

  private let state = Mutex(State())
  private let bytesMax: Int
  /// Capacity of the buffers that the queue hands out.
  public let chunkBytes: Int
  /// Raised when something is in the queue that was empty.
  public let signal = ThreadSignal()

  public init(chunkBytes: Int, bytesMax: Int) {
    self.chunkBytes = chunkBytes
    self.bytesMax = bytesMax
  }

  public func makeBuffer() -> Buffer {
    let free = state.withLock { $0.free.popLast() }
    return free?.buffer ?? Buffer(capacity: chunkBytes)
  }

  /// Puts a chunk into the queue and gives an empty buffer for it; `accepted` is false when the
  /// queue is full. The caller must not use `buffer` any more. From any thread.
  public func exchange(_ buffer: Buffer, lines: Int) -> (empty: Buffer, accepted: Bool) {
    let chunk = Chunk(buffer: buffer, lines: lines)
    let (accepted, mustWake, free) = state.withLock { state -> (Bool, Bool, Chunk?) in
      guard state.pendingBytes + chunk.buffer.count <= bytesMax else { return (false, false, nil) }
      state.pending.append(chunk)
      state.pendingBytes += chunk.buffer.count
      return (true, state.pending.count == 1, state.free.popLast())
    }
    if mustWake { signal.raise() }
    if accepted { return (free?.buffer ?? Buffer(capacity: chunkBytes), true) }
    buffer.removeAll()
    return (buffer, false)
  }

  /// Takes all chunks, oldest first. Their bytes count as pending until ``recycle(_:)``.
  public func takeAll() -> [Chunk] {
    state.withLock { state in
      let pending = state.pending
      state.pending = []
      return pending
    }
  }

  /// Gives back a chunk that was taken; its remaining bytes are lost.
  ///
  /// - Parameter bytes: how many the chunk held when it was taken.
  public func recycle(_ chunk: Chunk, bytes: Int) {
    chunk.buffer.removeAll()
    state.withLock { state in
      state.pendingBytes -= bytes
      if state.free.count < Self.freeMax, chunk.buffer.capacity == chunkBytes { state.free.append(chunk) }
    }
  }
}
