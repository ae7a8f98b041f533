import DataPlane

/// Asks the workers for their counters, one question at a time.
///
/// Taking a snapshot costs the workers time. Requests that come while one is taken share the next
/// one, so that a client that asks without pause cannot ask the workers without pause.
actor CounterReader {
  private let backend: any AdminBackend
  private let timeout: Duration
  private var running: Task<[CountersSnapshot]?, Never>?
  private var waiting: Task<[CountersSnapshot]?, Never>?

  init(_ backend: any AdminBackend, timeout: Duration) {
    self.backend = backend
    self.timeout = timeout
  }

  /// Snapshots that were taken after this call; nil when the workers did not answer in time.
  func read() async -> [CountersSnapshot]? {
    if let waiting { return await waiting.value }
    let previous = running
    let task = Task {
      _ = await previous?.value
      begin()
      return await answer(within: timeout) { [backend] in await backend.counters() }
    }
    waiting = task
    return await task.value
  }

  private func begin() {
    running = waiting
    waiting = nil
  }
}
