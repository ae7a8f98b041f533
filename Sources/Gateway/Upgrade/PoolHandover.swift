import DataPlane
import Runtime

/// The listening sockets of all workers, on their way from one process to the next.
extension WorkerPool {
  /// Copies of all listening sockets, which the caller closes.
  func duplicateListeners() async throws(SystemError) -> [HandoverSocket] {
    let results: [Result<[HandoverSocket], SystemError>] = await call { worker in
      do throws(SystemError) {
        return .success(try worker.duplicateListeners())
      } catch {
        return .failure(error)
      }
    }
    var sockets: [HandoverSocket] = []
    var problem: SystemError?
    for result in results {
      switch result {
      case .success(let own): sockets += own
      case .failure(let error): problem = error
      }
    }
    guard let problem else { return sockets }
    HandoverSocket.close(sockets)
    throw problem
  }

  /// Closes what was inherited and belongs to no listener.
  /// - Returns: the addresses.
  func dropRestOfInheritance() async -> Set<SocketAddress> {
    await call { $0.dropRestOfInheritance() }.reduce(into: []) { $0.formUnion($1) }
  }
}
