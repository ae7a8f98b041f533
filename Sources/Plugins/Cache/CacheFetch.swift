import Runtime
import Synchronization

/// One request's way to the endpoint that others for the same wait for. From any thread; what changes is under the
/// lock of its shard.
final class CacheFetch: Sendable {
  let hash: UInt64
  /// Whoever comes after this takes the lead: nanoseconds of the monotonic clock.
  let leadUntil: Int64
  private struct Waiting {
    var handles: [WakeHandle] = []
    var isOver = false
  }

  private let waiting = Mutex(Waiting())

  init(_ hash: UInt64, leadUntil: Int64) {
    self.hash = hash
    self.leadUntil = leadUntil
  }

  /// Requests that wait for one; more go on by themselves.
  static let waitersMax = 1_024

  /// - Returns: false where there is nothing to wait for, or too many do.
  func add(_ handle: WakeHandle) -> Bool {
    waiting.withLock { waiting in
      if waiting.isOver || waiting.handles.count >= Self.waitersMax { return false }
      waiting.handles.append(handle)
      return true
    }
  }

  func wakeAll() {
    let handles = waiting.withLock { waiting in
      waiting.isOver = true
      let handles = waiting.handles
      waiting.handles = []
      return handles
    }
    for handle in handles { handle.wake() }
  }
}
