import DataPlane
import Runtime
import Synchronization

/// The listening sockets of all workers, on their way from one process to the next.
extension WorkerPool {
  /// Copies of all listening sockets, which the caller closes.
  ///
  /// - Throws: also where a worker does not turn its loop: it would have to be asked for its sockets.
  func duplicateListeners() async throws(UpgradeError) -> [HandoverSocket] {
    let copies = ListenerCopies(of: count)
    for index in 0..<count {
      post(to: index) { worker in
        do throws(SystemError) {
          copies.add(.success(try worker.duplicateListeners()), of: index)
        } catch {
          copies.add(.failure(error), of: index)
        }
      }
    }
    return try await copies.all()
  }

  /// Closes what was inherited and belongs to no listener.
  /// - Returns: the addresses.
  func dropRestOfInheritance() async -> Set<SocketAddress> {
    await call { $0.dropRestOfInheritance() }.reduce(into: []) { $0.formUnion($1) }
  }
}

/// Gathers the copies that workers make of their listening sockets.
private final class ListenerCopies: Sendable {
  private struct State {
    var sockets: [HandoverSocket] = []
    var problem: SystemError?
    /// Nobody waits for more.
    var isOver = false
  }

  private let state = Mutex(State())
  private let calls: RollCall

  init(of count: Int) { calls = RollCall(of: count) }

  func add(_ result: Result<[HandoverSocket], SystemError>, of index: Int) {
    let late = state.withLock { state in
      switch result {
      case .success(let own) where state.isOver: return own
      case .success(let own): state.sockets += own
      case .failure(let error): state.problem = error
      }
      return []
    }
    HandoverSocket.close(late)
    calls.answered(index)
  }

  func all() async throws(UpgradeError) -> [HandoverSocket] {
    calls.giveUp()
    let missing = await calls.wait()
    let (sockets, problem) = state.withLock { state in
      state.isOver = true
      return (state.sockets, state.problem)
    }
    if missing.isEmpty, problem == nil { return sockets }
    HandoverSocket.close(sockets)
    if let problem { throw UpgradeError("the new process cannot be started: \(problem)") }
    throw UpgradeError(
      "worker \(missing.map(String.init).joined(separator: ", ")) does not turn its loop, and cannot be asked for "
        + "its sockets")
  }
}
