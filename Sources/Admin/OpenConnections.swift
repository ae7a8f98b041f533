import NIOCore
import Synchronization

/// The connections that a server has, so that none outlives it.
///
/// The framework ends those that it serves. One that was accepted in the moment of the end is served by
/// nobody, and its client would wait for an answer until the stall limit.
final class OpenConnections: Sendable {
  private struct State {
    var channels: [ObjectIdentifier: any Channel] = [:]
    var isClosed = false
  }

  private let state = Mutex(State())

  /// From the connection's event loop; false after ``close()``: the connection is not wanted any more.
  func insert(_ channel: any Channel) -> Bool {
    state.withLock { state in
      if !state.isClosed { state.channels[ObjectIdentifier(channel)] = channel }
      return !state.isClosed
    }
  }

  func remove(_ channel: any Channel) {
    state.withLock { $0.channels[ObjectIdentifier(channel)] = nil }
  }

  /// Looks again every few milliseconds: somebody else's end is not worth a signal.
  func waitUntilEmpty(atMost limit: Duration) async {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end, !(state.withLock { $0.channels.isEmpty }) {
      // Throws when the task is cancelled.
      guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { return }
    }
  }

  /// Closes all there are, and refuses those that come.
  func close() {
    let channels = state.withLock { state in
      state.isClosed = true
      defer { state.channels = [:] }
      return state.channels.values
    }
    for channel in channels { channel.close(promise: nil) }
  }
}
