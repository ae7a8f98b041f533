import DataPlane
import Runtime
import Synchronization
import TLS

/// Something that a plugin goes by and that is fetched: at first when a plugin begins to use it, then after a time
/// again, and when somebody misses something in it. From any thread; workers have it by a ``URLView``.
///
/// What cannot be fetched or understood leaves in place what was there before.
final class FollowedURL<Content: Sendable>: Sendable {
  private struct State: Sendable {
    var content: Content?
    /// Why the last attempt was in vain.
    var problem: String?
    var isStarted = false
    var isFetching = false
    /// Those that wait for the attempt that is under way, or for one to be made.
    var waiting: [Int: WakeHandle] = [:]
    var lastWaiting = 0
    /// Still under way after the attempt that asked it was over.
    var question: NameQuestion?
  }

  let address: FetchAddress
  private let trust: TLSTrust?
  private let refreshNanoseconds: Int64
  private let bytesMax: Int
  private let parse: @Sendable ([UInt8]) throws(FileProblem) -> Content
  private let state = Mutex(State())
  private let changes = Atomic<Int>(0)
  /// Until then nobody's wish makes for another attempt; monotonic.
  private let quietUntil = Atomic<Int64>(0)
  /// Among those that the thread fetches for.
  private let number: Int

  /// One attempt, from the name to the last byte.
  private let attemptNanoseconds: Int64
  /// Between an attempt and one that is wished for, or that follows a failure: what unknown names of keys and servers
  /// that are down may cost.
  private let pauseNanoseconds: Int64

  /// - trust: For https; nil: the system's certificates.
  init(
    _ address: FetchAddress, trust: TLSTrust?, refresh: Duration, timeout: Duration, pause: Duration,
    bytesMax: Int,
    parse: @escaping @Sendable ([UInt8]) throws(FileProblem) -> Content
  ) {
    self.address = address
    self.trust = trust
    self.bytesMax = bytesMax
    self.parse = parse
    refreshNanoseconds = refresh.nanosecondCount
    attemptNanoseconds = timeout.nanosecondCount
    pauseNanoseconds = pause.nanosecondCount
    number = FetchNumbers.take()
  }

  deinit {
    // The task that follows it finds it gone.
    if state.withLock({ $0.isStarted }) { FetchThread.shared.wake(number) }
  }

  /// Grows with each attempt.
  var changeCount: Int { changes.load(ordering: .acquiring) }

  var reading: (content: Content?, problem: String?) { state.withLock { ($0.content, $0.problem) } }

  /// Whether a wish for another attempt would be heard now.
  func mayAsk(at now: MonotonicTime) -> Bool { now.nanoseconds >= quietUntil.load(ordering: .relaxed) }

  /// Begins to follow, if nobody has.
  func start() {
    let mustStart = state.withLock { state in
      defer { state.isStarted = true }
      if state.isStarted { return false }
      state.isFetching = true
      return true
    }
    guard mustStart else { return }
    let weak = WeakURL(self)
    FetchThread.shared.post { [number] tools in
      let waiter = Waiter(on: tools.tls.worker)
      tools.waiters[number] = waiter
      waiter.worker.spawn {
        await Self.follow(weak, waiter, tools)
        tools.waiters[number] = nil
      }
    }
  }

  /// Waits until an attempt is over that is under way, or that this makes for; less where the exchange's client goes
  /// away, or its call's deadline passes. On the exchange's task.
  ///
  /// - known: What the caller has seen; where there is more already, nothing is waited for.
  func waitForNext(after known: Int, _ exchange: Exchange) async {
    let handle = WakeHandle(on: exchange.worker)
    let place = state.withLock { state -> Int? in
      if changes.load(ordering: .acquiring) != known { return nil }
      guard state.isFetching || mayAsk(at: exchange.worker.now) else { return nil }
      guard state.waiting.count < Self.waitingMax else { return nil }
      state.lastWaiting += 1
      state.waiting[state.lastWaiting] = handle
      return state.lastWaiting
    }
    guard let place else { return }
    FetchThread.shared.wake(number)
    // A name that nobody resolves in time and a server that is silent end with the attempt.
    await exchange.wait(for: handle, until: .never)
    state.withLock { $0.waiting[place] = nil }
  }

  /// Requests that wait at a time, of all workers; more do without what is fetched. Each has an exchange of some
  /// 100 KiB at most.
  private static var waitingMax: Int { 10_000 }

  /// Somebody waits for an attempt, and none is under way.
  private var isWanted: Bool { state.withLock { !$0.isFetching && !$0.waiting.isEmpty } }

  // MARK: On the thread that fetches

  private static func follow(_ weak: WeakURL<Content>, _ waiter: Waiter, _ tools: FetchTools) async {
    while true {
      let worker = waiter.worker
      guard let pause = await weak.url?.attempt(waiter, tools) else { return }
      let until = worker.now.advanced(byNanoseconds: pause)
      while worker.now < until, let wish = weak.url?.wish() {
        if wish <= worker.now { break }
        await waiter.sleep(until: min(until, wish))
      }
    }
  }

  /// When the next attempt may be made for those who wait for one: this thread's time may be behind that of the worker
  /// that has asked. Without end where nobody does.
  private func wish() -> MonotonicTime {
    isWanted ? MonotonicTime(nanoseconds: quietUntil.load(ordering: .relaxed)) : .never
  }

  /// - Returns: nanoseconds until the next one.
  private func attempt(_ waiter: Waiter, _ tools: FetchTools) async -> Int64 {
    state.withLock { $0.isFetching = true }
    let began = waiter.worker.now
    var problem: FileProblem?
    do throws(FileProblem) {
      let bytes = try await fetch(waiter, tools, until: began.advanced(byNanoseconds: attemptNanoseconds))
      let content = try parse(bytes)
      state.withLock { $0.content = content }
    } catch {
      problem = error
    }
    let message = problem.map { "cannot fetch \(address.description): \($0.message)" }
    quietUntil.store(waiter.worker.now.nanoseconds + pauseNanoseconds, ordering: .relaxed)
    let waiting = state.withLock { state in
      state.problem = message
      state.isFetching = false
      defer { state.waiting = [:] }
      changes.add(1, ordering: .acquiringAndReleasing)
      return state.waiting
    }
    for handle in waiting.values { handle.wake() }
    return problem == nil ? refreshNanoseconds : min(refreshNanoseconds, pauseNanoseconds)
  }

  private func fetch(
    _ waiter: Waiter, _ tools: FetchTools, until deadline: MonotonicTime
  ) async throws(FileProblem) -> [UInt8] {
    var context: TLSClientContext?
    if address.isHTTPS {
      do throws(CertificateError) {
        let trusted = if let trust { trust } else { try TLSTrust.system() }
        context = try TLSClientContext(TLSClientOptions(trust: trusted), on: tools.tls)
      } catch {
        throw FileProblem(error.description)
      }
    }
    let addresses = try await resolve(waiter, until: deadline)
    return try await Fetch(address: address, bytesMax: bytesMax, deadline: deadline, waiter: waiter)
      .run(addresses, context)
  }

  private func resolve(
    _ waiter: Waiter, until deadline: MonotonicTime
  ) async throws(FileProblem) -> [SocketAddress] {
    if let literal = SocketAddress(ip: address.host, port: address.port) { return [literal] }
    let asked = state.withLock { $0.question }
    let question =
      asked
      ?? NameQuestion(address.host, port: address.port) { [number] in FetchThread.shared.wake(number) }
    state.withLock { $0.question = question }
    while question.addresses == nil, waiter.worker.now < deadline { _ = await waiter.sleep(until: deadline) }
    guard let addresses = question.addresses else {
      // It is asked no second time while the first is under way.
      throw FileProblem("the name \(address.host) could not be resolved in time")
    }
    state.withLock { $0.question = nil }
    if addresses.isEmpty { throw FileProblem("the name \(address.host) is not known") }
    return addresses
  }
}

/// Does not keep it.
private struct WeakURL<Content: Sendable>: Sendable {
  private(set) weak var url: FollowedURL<Content>?
  init(_ url: FollowedURL<Content>) { self.url = url }
}

extension Duration {
  var nanosecondCount: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}

/// What a worker has of something that is fetched.
struct URLView<Content: Sendable> {
  let url: FollowedURL<Content>
  private(set) var changeCount = -1
  private(set) var content: Content?

  init(_ url: FollowedURL<Content>) {
    self.url = url
    url.start()
  }

  /// Takes over what has changed. Costs a load where nothing has.
  ///
  /// - Returns: why there is nothing new; once for each attempt.
  mutating func refresh() -> PluginFailure? {
    let count = url.changeCount
    if count == changeCount { return nil }
    let isFirst = changeCount < 0
    changeCount = count
    if isFirst, count == 0 { return nil }
    let reading = url.reading
    content = reading.content
    return reading.problem.map {
      PluginFailure($0 + (reading.content == nil ? "" : "; what was fetched before counts"))
    }
  }
}
