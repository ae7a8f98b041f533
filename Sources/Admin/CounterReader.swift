import DataPlane
import Dispatch

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

/// The result of `operation`, or nil when it takes longer than `limit`; it then goes on unheard,
/// since what waits for a stuck worker cannot be cancelled.
func answer<Value: Sendable>(
  within limit: Duration, _ operation: @escaping @Sendable () async -> Value
) async -> Value? {
  let (results, input) = AsyncStream.makeStream(of: Value?.self, bufferingPolicy: .bufferingOldest(1))
  let asking = Task { input.yield(await operation()) }
  // A task that sleeps stays in memory until its time is over, also when it is cancelled.
  let timer = DispatchSource.makeTimerSource()
  timer.schedule(deadline: .now() + .nanoseconds(Int(limit / .nanoseconds(1))))
  timer.setEventHandler { input.yield(nil) }
  timer.resume()
  defer {
    asking.cancel()
    timer.cancel()
  }
  for await result in results { return result }
  return nil
}
