import Runtime
import Synchronization

/// Content of an answer that is read while it is sent: a piece as soon as the one before it is on its way, so that two
/// of them are in memory however slow the client is. For one answer. From any thread.
public final class ContentPieces: Sendable {
  private struct State {
    /// Was read, and is still to be taken.
    var piece: FrozenBytes?
    /// Of all that is still to be taken.
    var bytesLeft: Int
    var isRead = false
    var hasFailed = false
    var waiting: WakeHandle?
  }

  /// Bytes of all pieces.
  let count: Int
  private let read: @Sendable (ContentPieces) -> Void
  private let state: Mutex<State>

  /// - read: Has the next piece read somewhere else, which ends with ``give(_:)`` or ``fail()``. Called by the worker,
  ///   once for each piece; must not block.
  public init(count: Int, read: @escaping @Sendable (ContentPieces) -> Void) {
    self.count = count
    self.read = read
    state = Mutex(State(bytesLeft: count))
  }

  // MARK: For who reads

  /// The next piece. What is empty, or more than there should be, counts as a failure.
  public func give(_ piece: FrozenBytes) {
    end { state in
      if (1...max(1, state.bytesLeft)).contains(piece.count) {
        state.piece = piece
      } else {
        state.hasFailed = true
      }
    }
  }

  /// There is no more to be had: the answer breaks off, in a way that its client notices.
  public func fail() { end { $0.hasFailed = true } }

  private func end(_ change: (inout State) -> Void) {
    let waiting = state.withLock { state in
      change(&state)
      state.isRead = false
      defer { state.waiting = nil }
      return state.waiting
    }
    waiting?.wake()
  }

  // MARK: For who sends

  /// Nil where it is still being read, has failed, or all were taken.
  func take() -> FrozenBytes? {
    let (piece, isNextWanted) = state.withLock { state in
      let piece = state.piece
      state.piece = nil
      state.bytesLeft -= piece?.count ?? 0
      let isNextWanted = state.bytesLeft > 0 && !state.isRead && !state.hasFailed
      if isNextWanted { state.isRead = true }
      return (piece, isNextWanted)
    }
    if isNextWanted { read(self) }
    return piece
  }

  /// All were taken.
  var isAtEnd: Bool { bytesLeft == 0 }

  /// Of all that is still to be taken.
  var bytesLeft: Int { state.withLock { $0.bytesLeft } }

  var isBeingRead: Bool { state.withLock { $0.isRead } }

  var hasFailed: Bool { state.withLock { $0.hasFailed } }

  /// - Returns: false where there is nothing to wait for; otherwise the handle is woken.
  func wake(_ handle: WakeHandle) -> Bool {
    state.withLock { state in
      guard state.isRead else { return false }
      state.waiting = handle
      return true
    }
  }
}
