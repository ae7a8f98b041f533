import DataPlane
import Resources
import Runtime
import Synchronization

/// The workers of the process, each on a thread of its own.
final class WorkerPool: Sendable {
  private let workers: [WorkerLocal<DataPlaneWorker>]
  private let ends: RollCall
  /// Of the drain that is under way.
  private let drains: RollCall
  /// What the workers listen on.
  private let addresses = Mutex(OpenAddresses())

  /// Of the sockets that come from the process before this one, which listens on them still.
  private let inheritedPorts = Mutex<Set<UInt16>>([])

  var count: Int { workers.count }

  /// For whoever watches that they turn.
  var loops: [Worker] { workers.map(\.worker) }

  static var usableCPUs: Int { WorkerThread.usableCPUs }

  /// Starts the threads; they serve nothing before a change is applied.
  ///
  /// - Parameter sockets: of the process before this one. With any, listeners accept only after
  ///   ``startAccepting()``.
  init(count: Int, inheriting sockets: [HandoverSocket] = []) {
    inheritedPorts.withLock { $0 = Set(sockets.map(\.address.port)) }
    var workers: [WorkerLocal<DataPlaneWorker>] = []
    let ends = RollCall(of: count)
    let pluginStates = PluginStates()
    for index in 0..<count {
      let worker = Worker(index: index, seam: EpollSeam())
      workers.append(
        WorkerLocal(on: worker) {
          let data = DataPlaneWorker(worker: $0, workerCount: count, pluginStates: pluginStates)
          if !sockets.isEmpty {
            data.inheritance = ListenerInheritance(of: index, count: count, from: sockets)
          }
          return data
        })
      // Pinned only where each worker has a CPU to itself.
      WorkerThread.start(worker, name: "worker-\(index)", pinned: count == WorkerThread.usableCPUs) {
        ends.answered(index)
      }
    }
    self.workers = workers
    self.ends = ends
    drains = RollCall(of: count)
  }

  /// Listeners of a change, by number, whose addresses another process has, and the reason. Those that
  /// are open here already are not asked about.
  private func unavailableListeners(of changes: [ListenerChange]) -> [Int: String] {
    let inherited = inheritedPorts.withLock(\.self)
    return addresses.withLock { open in
      var unavailable: [Int: String] = [:]
      for change in changes {
        switch change {
        case .remove(let number): open.remove(number)
        case .setSecurity: break
        case .set(let number, let listener, _):
          guard let address = SocketAddress(listener) else { continue }
          unavailable[number] = open.problem(with: address, of: number, inherited)
          open.set(number, unavailable[number] == nil ? address : nil)
        }
      }
      return unavailable
    }
  }

  /// Which of these could not be opened, and why; nothing changes.
  func unavailableListeners(among listeners: [(number: Int, listener: Listener)]) -> [Int: String] {
    let inherited = inheritedPorts.withLock(\.self)
    return addresses.withLock { open in
      var unavailable: [Int: String] = [:]
      for (number, listener) in listeners {
        guard let address = SocketAddress(listener) else { continue }
        unavailable[number] = open.problem(with: address, of: number, inherited)
      }
      return unavailable
    }
  }

  /// Sends a change to every worker.
  func post(_ change: @escaping @Sendable (DataPlaneWorker) -> Void) {
    for worker in workers { worker.post(change) }
  }

  func post(to index: Int, _ body: @escaping @Sendable (DataPlaneWorker) -> Void) {
    workers[index].post(body)
  }

  /// What every worker has counted; each copies it in slices.
  func counters() async -> [CountersSnapshot] {
    var snapshots: [CountersSnapshot] = []
    for worker in workers {
      if let snapshot = await worker.call(beginning: { $0.collectCounters($1) }) {
        snapshots.append(snapshot)
      }
    }
    return snapshots
  }

  /// Asks the first worker: for what all know alike. Nil where it has ended.
  func ask<Result: Sendable>(_ question: @escaping @Sendable (DataPlaneWorker) -> Result) async -> Result? {
    await workers.first?.call(question)
  }

  /// Asks every worker, but for those that would not answer.
  func call<Result: Sendable>(
    except silent: [Int] = [], _ question: @escaping @Sendable (DataPlaneWorker) -> Result
  ) async -> [Result] {
    var results: [Result] = []
    for (index, worker) in workers.enumerated() where !silent.contains(index) {
      if let result = await worker.call(question) { results.append(result) }
    }
    return results
  }

  /// Has every worker take over a delta. What is posted later comes after it.
  ///
  /// - Parameter completion: called when all have, on the last worker's thread, with what could not
  ///   be done, each failure once.
  func apply(_ delta: Delta, completion: @escaping @Sendable ([ListenFailure]) -> Void) {
    let unavailable = unavailableListeners(of: delta.listeners)
    let results = ApplyResults(expected: workers.count, completion: completion)
    post { worker in
      worker.apply(delta, unavailable: unavailable) { results.add($0) }
    }
  }

  /// Has lines of the access log go elsewhere.
  ///
  /// - Parameter completion: called when no worker holds lines for where they went before.
  func setAccessLog(
    _ destination: AccessLogs.Destination?, completion: @escaping @Sendable () -> Void
  ) {
    let results = ApplyResults(expected: workers.count) { _ in completion() }
    post { worker in
      worker.setAccessLog(destination?.writer, format: destination?.format ?? .json)
      results.add([])
    }
  }

  /// Lets what is in flight finish, for as long as `limit`, then ends it. To be called once.
  ///
  /// - Returns: workers that did not do so even then: they do not turn their loops.
  func drain(within limit: Duration, manner: DrainManner) async -> [Int] {
    for (index, worker) in workers.enumerated() {
      worker.post { [drains] in $0.beginDrain(manner) { drains.answered(index) } }
    }
    let timer = Task {
      // What may wait has to have the time to end in an orderly way.
      let orderly = min(limit / 4, .seconds(5))
      try await Task.sleep(for: limit - orderly)
      post { $0.endPatience() }
      try await Task.sleep(for: orderly)
      abortConnections()
    }
    defer { timer.cancel() }
    return await drains.wait()
  }

  /// Begins to accept, on all workers.
  /// - Returns: sockets that could not be opened.
  func startAccepting() async -> [ListenFailure] {
    inheritedPorts.withLock { $0 = [] }
    return await call { $0.startAccepting() }.flatMap(\.self)
  }

  /// Ends what is in flight; a drain that is under way does not wait much longer.
  func abortConnections() {
    post { $0.abortConnections() }
    drains.giveUp()
  }

  /// Ends the threads, and returns when they have ended.
  ///
  /// - Returns: workers whose threads did not: they do not turn their loops.
  func stop() async -> [Int] {
    post { $0.setAccessLog(nil, format: .json) }
    for worker in workers {
      worker.end()
      worker.worker.stop()
    }
    ends.giveUp()
    return await ends.wait()
  }
}

/// Addresses that the workers listen on, and ports that they may listen on still.
private struct OpenAddresses {
  /// Workers close a listener's sockets a little after they were told to.
  private static let closingTime = Duration.seconds(10)

  /// By the listeners' numbers.
  private var byNumber: [Int: SocketAddress] = [:]
  /// When they are closed for certain.
  private var closing: [UInt16: ContinuousClock.Instant] = [:]

  mutating func set(_ number: Int, _ address: SocketAddress?) {
    if let old = byNumber[number], old != address {
      closing = closing.filter { $0.value > .now }
      closing[old.port] = .now + Self.closingTime
    }
    byNumber[number] = address
  }

  mutating func remove(_ number: Int) { set(number, nil) }

  /// Why an address cannot be had. On a port of our own, it is our own listener that would be in the way.
  func problem(with address: SocketAddress, of number: Int, _ inherited: Set<UInt16>) -> String? {
    let port = address.port
    let isOwn =
      byNumber[number] == address || inherited.contains(port)
      || byNumber.values.contains { $0.port == port } || closing[port].map { $0 > .now } ?? false
    guard !isOwn, let problem = AddressProbe.problem(with: address) else { return nil }
    return "cannot listen on \(address.description): \(problem)"
  }
}

extension SocketAddress {
  fileprivate init?(_ listener: Listener) {
    self.init(ip: listener.address.host, port: listener.address.port)
  }
}

/// Gathers what the workers say of a change.
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
