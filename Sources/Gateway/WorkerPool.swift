import DataPlane
import Resources
import Runtime
import Synchronization

/// The workers of the process, each on a thread of its own.
final class WorkerPool: Sendable {
  private let workers: [WorkerLocal<DataPlaneWorker>]
  private let ends: [AsyncStream<Void>]
  /// Addresses that the workers listen on.
  private let addresses = Mutex<Set<SocketAddress>>([])

  var count: Int { workers.count }

  static var usableCPUs: Int { WorkerThread.usableCPUs }

  /// Starts the threads; they serve nothing before a snapshot is applied.
  init(count: Int) {
    var workers: [WorkerLocal<DataPlaneWorker>] = []
    var ends: [AsyncStream<Void>] = []
    for index in 0..<count {
      let worker = Worker(index: index, seam: EpollSeam())
      workers.append(WorkerLocal(on: worker) { DataPlaneWorker(worker: $0, workerCount: count) })
      let (end, endInput) = AsyncStream.makeStream(of: Void.self)
      ends.append(end)
      // Pinned only where each worker has a CPU to itself.
      WorkerThread.start(worker, name: "worker-\(index)", pinned: count == WorkerThread.usableCPUs) {
        endInput.finish()
      }
    }
    self.workers = workers
    self.ends = ends
  }

  /// Listeners of a configuration, by name, whose addresses another process has, and the reason.
  /// Those that are open here already are not asked about.
  func unavailableListeners(of configuration: Configuration) -> [String: String] {
    addresses.withLock { known in
      var unavailable: [String: String] = [:]
      var present: Set<SocketAddress> = []
      for listener in configuration.listeners {
        guard let address = SocketAddress(ip: listener.address.host, port: listener.address.port) else {
          continue
        }
        // On a port of our own, it is our own listener that would be in the way.
        let isOwnPort = known.contains { $0.port == address.port }
        if !isOwnPort, let problem = AddressProbe.problem(with: address) {
          unavailable[listener.name] = "cannot listen on \(address.description): \(problem)"
        } else {
          present.insert(address)
        }
      }
      known = present
      return unavailable
    }
  }

  /// Sends a change to every worker.
  func post(_ change: @escaping @Sendable (DataPlaneWorker) -> Void) {
    for worker in workers { worker.post(change) }
  }

  /// Asks every worker.
  func call<Result: Sendable>(_ question: @escaping @Sendable (DataPlaneWorker) -> Result) async -> [Result] {
    var results: [Result] = []
    for worker in workers {
      if let result = await worker.call(question) { results.append(result) }
    }
    return results
  }

  /// Has every worker take over a configuration. What is posted later comes after it.
  ///
  /// - Parameter completion: called when all have, on the last worker's thread, with what could not
  ///   be done, each failure once.
  func apply(
    _ snapshot: Snapshot, unavailable: [String: String], accessLog: AccessLogs.Destination?,
    completion: @escaping @Sendable ([ListenFailure]) -> Void
  ) {
    let results = ApplyResults(expected: workers.count, completion: completion)
    post { worker in
      worker.setAccessLog(accessLog?.writer, format: accessLog?.format ?? .json)
      results.add(worker.apply(snapshot, unavailable: unavailable))
    }
  }

  /// Lets what is in flight finish, for as long as `limit`, then ends it.
  func drain(within limit: Duration) async {
    let (finished, input) = AsyncStream.makeStream(of: Void.self)
    post { worker in worker.beginDrain { input.yield() } }
    let timer = Task {
      try await Task.sleep(for: limit)
      post { $0.abortConnections() }
    }
    var left = workers.count
    if left > 0 {
      for await _ in finished {
        left -= 1
        if left == 0 { break }
      }
    }
    timer.cancel()
  }

  func abortConnections() {
    post { $0.abortConnections() }
  }

  /// Ends the threads, and returns when they have ended.
  func stop() async {
    post { $0.setAccessLog(nil, format: .json) }
    for worker in workers {
      worker.end()
      worker.worker.stop()
    }
    for end in ends { for await _ in end {} }
  }
}

/// Gathers what the workers say of a configuration.
private final class ApplyResults: Sendable {
  private let state: Mutex<(left: Int, failures: [String: ListenFailure])>
  private let completion: @Sendable ([ListenFailure]) -> Void

  init(expected: Int, completion: @escaping @Sendable ([ListenFailure]) -> Void) {
    state = Mutex((left: expected, failures: [:]))
    self.completion = completion
  }

  func add(_ failures: [ListenFailure]) {
    let all: [ListenFailure]? = state.withLock { state in
      for failure in failures { state.failures[failure.description] = failure }
      state.left -= 1
      return state.left == 0 ? state.failures.values.sorted { $0.description < $1.description } : nil
    }
    if let all { completion(all) }
  }
}
