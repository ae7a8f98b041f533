import CCares
import Runtime
import Synchronization

/// Resolves names to addresses with c-ares, asynchronously and with the TTLs.
///
/// Follows the hosts file and resolv.conf (servers, search domains) as the system's resolver does.
/// Has a thread of its own; every call is from any thread.
public final class Resolver: Sendable {
  public struct Options: Sendable {
    /// `127.0.0.1:5353,[::1]:53`; `nil`: the servers of resolv.conf.
    public var servers: String?
    /// For the first try of each server; each further try is given twice as long.
    public var timeout = Duration.seconds(1)
    /// Tries of each server.
    public var tries = 3
    public init() {}
  }

  /// Names asked for at the same time; more wait for their turn.
  public static let inFlightMax = 128
  /// A DNS name has at most 253 characters (RFC 1035 §2.3.4).
  static let nameBytesMax = 253

  private let inbox: ResolverInbox

  /// Throws when c-ares refuses the options.
  public init(options: Options = Options()) throws(ResolverError) {
    inbox = ResolverInbox()
    // The library counts its initialisations; it keeps nothing that would have to be freed.
    let status = ares_library_init(ARES_LIB_INIT_ALL)
    guard status == ARES_SUCCESS else { throw ResolverError(status: status) }
    let loop = try ResolverLoop(options: options, inbox: inbox)
    // The loop is used by its thread alone from here on.
    let confined = ThreadConfined(loop)
    BackgroundThread.start(name: "resolver") { confined.value.run() }
  }

  deinit { stop() }

  /// The addresses of `name`. A task that is cancelled gets its answer at once.
  public func resolve(_ name: String) async throws(ResolverError) -> Resolution {
    guard !name.isEmpty, name.utf8.count <= Self.nameBytesMax, !name.utf8.contains(0) else {
      throw ResolverError(.invalidName, "the name is empty, too long or holds a NUL")
    }
    let query = ResolverQuery(name: name)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        query.begin(continuation)
        if !inbox.add(query) { query.finish(.failure(.cancelled)) }
      }
    } onCancel: {
      query.finish(.failure(.cancelled))
    }
    return try result.get()
  }

  /// Ends the thread. Queries that wait, and those that come later, fail with `.cancelled`.
  public func stop() { inbox.close() }
}

/// One question, answered once.
final class ResolverQuery: Sendable {
  typealias Answer = Result<Resolution, ResolverError>

  private enum State {
    case created
    case waiting(CheckedContinuation<Answer, Never>)
    case finished(Answer)
  }

  let name: String
  private let state = Mutex(State.created)

  init(name: String) { self.name = name }

  var isFinished: Bool {
    state.withLock { if case .finished = $0 { true } else { false } }
  }

  func begin(_ continuation: CheckedContinuation<Answer, Never>) {
    let early: Answer? = state.withLock {
      if case .finished(let answer) = $0 { return answer }
      $0 = .waiting(continuation)
      return nil
    }
    if let early { continuation.resume(returning: early) }
  }

  /// The first answer counts.
  func finish(_ answer: Answer) {
    let waiting: CheckedContinuation<Answer, Never>? = state.withLock {
      switch $0 {
      case .finished: return nil
      case .created:
        $0 = .finished(answer)
        return nil
      case .waiting(let continuation):
        $0 = .finished(answer)
        return continuation
      }
    }
    waiting?.resume(returning: answer)
  }
}

/// Queries on their way to the resolver's thread.
final class ResolverInbox: Sendable {
  private struct State {
    var queries: [ResolverQuery] = []
    var isClosed = false
  }

  let wake = WakeDescriptor()
  private let state = Mutex(State())

  /// False once it is closed.
  func add(_ query: ResolverQuery) -> Bool {
    let isOpen = state.withLock {
      if !$0.isClosed { $0.queries.append(query) }
      return !$0.isClosed
    }
    if isOpen { wake.signal() }
    return isOpen
  }

  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  func take() -> (queries: [ResolverQuery], isClosed: Bool) {
    wake.drain()
    return state.withLock { state in
      defer { state.queries = [] }
      return (state.queries, state.isClosed)
    }
  }
}
