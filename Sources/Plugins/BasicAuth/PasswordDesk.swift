import Runtime
import Synchronization

/// Checks passwords on threads of its own, for all workers: a hash takes 50 ms and more.
///
/// Clients wait in turn: each address has its own queue, and the queues are served one after the other. One that
/// tries passwords out makes itself wait, and not others. What waits is bounded. From any thread.
final class PasswordDesk: Sendable {
  static let shared = PasswordDesk(threadCount: max(1, WorkerThread.usableCPUs / 4))

  enum Outcome: Sendable {
    case right, wrong
    /// Too many wait.
    case busy
  }

  fileprivate struct Job: Sendable {
    let password: [UInt8]
    let hash: PasswordHash
    let completion: @Sendable (Outcome) -> Void
  }

  fileprivate struct State {
    /// By client; none is empty.
    var queues: [Client: [Job]] = [:]
    /// Those that wait, the next to be served first.
    var turns: [Client] = []
    var count = 0
  }

  /// 13 s of bcrypt by one thread at the cost that the gateway uses itself.
  static let jobsMax = 256
  static let jobsPerClientMax = 16
  /// Traffic goes before logins: against a busy worker such a thread gets a quarter of a CPU.
  private static let nice = 5

  private let state = Mutex(State())
  private let signals: [ThreadSignal]

  init(threadCount: Int) {
    signals = (0..<threadCount).map { _ in ThreadSignal() }
    for signal in signals { BackgroundThread.start(name: "passwords") { self.run(signal) } }
  }

  func check(_ password: [UInt8], _ hash: PasswordHash, for client: SocketAddress) async -> Outcome {
    await withCheckedContinuation { continuation in
      add(Job(password: password, hash: hash) { continuation.resume(returning: $0) }, Client(client))
    }
  }

  private func add(_ job: Job, _ client: Client) {
    let refused = state.withLock { $0.add(job, client) }
    if let refused { refused.completion(.busy) }
    for signal in signals { signal.raise() }
  }

  private func run(_ signal: ThreadSignal) {
    BackgroundThread.lowerPriority(byNice: Self.nice)
    while true {
      while let job = state.withLock({ $0.next() }) {
        job.completion(job.hash.matches(job.password) ? .right : .wrong)
      }
      signal.wait(milliseconds: -1)
    }
  }
}

/// Who queues: an IPv4 address, or the 64 bits of an IPv6 address that a site has to itself.
private struct Client: Hashable {
  private let octets: SIMD16<UInt8>

  init(_ address: SocketAddress) {
    var octets = address.octets
    if !address.isIPv4 { octets.highHalf = SIMD8(repeating: 0) }
    self.octets = octets
  }
}

extension PasswordDesk.State {
  /// - Returns: the job that there is no room for: this one, or the last of whoever has most.
  fileprivate mutating func add(_ job: PasswordDesk.Job, _ client: Client) -> PasswordDesk.Job? {
    let own = queues[client]?.count ?? 0
    if own >= PasswordDesk.jobsPerClientMax { return job }
    var refused: PasswordDesk.Job?
    if count >= PasswordDesk.jobsMax {
      guard let longest = queues.max(by: { $0.value.count < $1.value.count }), longest.value.count > own + 1
      else {
        return job
      }
      refused = queues[longest.key]?.popLast()
      count -= 1
    }
    if own == 0 { turns.append(client) }
    queues[client, default: []].append(job)
    count += 1
    return refused
  }

  fileprivate mutating func next() -> PasswordDesk.Job? {
    guard let client = turns.first, var queue = queues.removeValue(forKey: client) else { return nil }
    turns.removeFirst()
    let job = queue.removeFirst()
    count -= 1
    if !queue.isEmpty {
      queues[client] = queue
      turns.append(client)
    }
    return job
  }
}
