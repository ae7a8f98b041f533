import Runtime
import Synchronization
import TLS

/// The thread on which plugins fetch what they go by; it is started with the first. From any thread.
final class FetchThread: Sendable {
  static let shared = FetchThread()

  private let tools: WorkerLocal<FetchTools>

  private init() {
    let worker = Worker(index: 0, seam: EpollSeam())
    tools = WorkerLocal(on: worker) { FetchTools(tls: TLSWorker(on: $0)) }
    WorkerThread.start(worker, name: "plugin-fetches", pinned: false) {}
  }

  /// Runs `body` on the thread.
  func post(_ body: @escaping @Sendable (FetchTools) -> Void) { tools.post(body) }

  /// Ends a pause.
  func wake(_ number: Int) { post { $0.waiters[number]?.wake() } }
}

/// Numbers of what may be fetched; making one starts no thread.
enum FetchNumbers {
  private static let last = Atomic<Int>(0)

  static func take() -> Int { last.add(1, ordering: .relaxed).newValue }
}

/// What belongs to the thread.
final class FetchTools {
  let tls: TLSWorker
  var waiters: [Int: Waiter] = [:]

  init(tls: TLSWorker) { self.tls = tls }
}

/// One question to the system for a name's addresses, on a thread of its own: it may take longer than anybody waits.
final class NameQuestion: Sendable {
  private let answer = Mutex<[SocketAddress]?>(nil)

  /// - whenDone: Called on the other thread.
  init(_ name: String, port: UInt16, whenDone: @escaping @Sendable () -> Void) {
    BackgroundThread.start(name: "name-question") {
      let addresses = (try? NameLookup.ask(name, port).get()) ?? []
      self.answer.withLock { $0 = addresses }
      whenDone()
    }
  }

  /// Nil as long as there is no answer.
  var addresses: [SocketAddress]? { answer.withLock { $0 } }
}
