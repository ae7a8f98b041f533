import DataPlane
import Runtime

/// A worker's leases of buckets that are in Redis, common to all gateways that count together.
///
/// As with ``WorkerBuckets``, a worker takes several requests' worth at a time where many come. The next are taken
/// when half of the last are used, so that requests need not wait; one that comes when there are none left waits for
/// one answer. What a worker holds bounds how far gateways together may differ from one that counts each request:
/// what a tenth of a second takes, at most ``leaseMax`` for each worker. Never more passes than Redis has granted.
final class LeasedBuckets {
  enum Step {
    case decided(WorkerBuckets.Result)
    /// Redis has to be asked: ``wait(for:_:name:)``.
    case mustAsk
    /// Redis cannot be asked.
    case gone(PluginFailure)
  }

  /// A request that waits for an answer.
  private final class Waiting {
    let exchange: Exchange
    var outcome: Step?

    init(_ exchange: Exchange) { self.exchange = exchange }
  }

  private final class Lease {
    /// Of the bucket in Redis.
    let name: [UInt8]
    var left = 0
    /// What there was after the last answer, and when that was.
    var taken = 0
    var takenAt: Int64 = 0
    /// Nothing passes before without another answer.
    var refusedUntil: Int64 = 0
    /// As of the last answer: when the next may pass.
    var nextAt: Int64 = 0

    func refusal(at now: Int64) -> WorkerBuckets.Result {
      WorkerBuckets.Result(passes: false, remaining: 0, wait: max(1, nextAt - now))
    }

    /// As of the last answer.
    var remaining = 0
    /// Asked for and not answered.
    var asked = 0
    var waiting = FirstInFirstOut<Waiting>()
    /// Those of ``waiting`` that still do.
    var waitingCount = 0

    init(name: [UInt8]) { self.name = name }
  }

  /// What a worker uses in this time is what it takes at once: for each key, Redis is asked some ten times a second.
  static let leaseNanoseconds: Int64 = 100_000_000
  /// Grows by no more than this from one take to the next.
  private static let growthMax = 4
  /// What was not used after so long goes back with the next take.
  private static let keepNanoseconds: Int64 = 1_000_000_000
  /// Where less was granted than wanted, a worker lets the bucket fill for this long, or for a quarter of its burst,
  /// before it asks again: under load beyond the limit Redis is not asked for each request.
  private static let pauseNanoseconds: Int64 = 20_000_000
  /// Some 300 bytes each; when there are more that are in use, some begin anew.
  private static let leasesMax = 65_536

  private let client: RedisClient
  private let shape: BucketShape
  private let worker: Worker
  private let timeoutNanoseconds: Int64
  /// A sixteenth of the burst for all workers of a gateway together: of small limits, one at a time.
  private let leaseMax: Int
  private let pause: Int64
  private var leases: [Int: Lease] = [:]
  private var sweepAt = 1_024

  init(
    _ shape: BucketShape, _ client: RedisClient, timeoutNanoseconds: Int64, workerCount: Int,
    on worker: Worker
  ) {
    self.shape = shape
    self.client = client
    self.timeoutNanoseconds = timeoutNanoseconds
    self.worker = worker
    leaseMax = max(1, shape.burst / (16 * workerCount))
    pause = min(Self.pauseNanoseconds, shape.tolerance / 4)
  }

  /// Takes one request's worth, if that goes without waiting.
  /// - key: Of the worker; `name`: the same key's name in Redis.
  func take(_ key: Int, name: () -> [UInt8]) -> Step {
    let now = worker.now.nanoseconds
    let lease: Lease
    if let known = leases[key] {
      lease = known
    } else {
      if leases.count >= sweepAt { sweep(now) }
      lease = Lease(name: name())
      leases[key] = lease
    }
    if lease.left > 0, now - lease.takenAt < Self.keepNanoseconds {
      lease.left -= 1
      askAhead(lease, now)
      return .decided(WorkerBuckets.Result(passes: true, remaining: lease.remaining + lease.left, wait: 0))
    }
    if now < lease.refusedUntil { return .decided(lease.refusal(at: now)) }
    if let failure = client.connection.failure { return .gone(failure) }
    return .mustAsk
  }

  /// Takes one request's worth after an answer of Redis. On the exchange's task.
  func wait(for key: Int, _ exchange: Exchange, name: () -> [UInt8]) async -> Step {
    let step = take(key, name: name)
    guard case .mustAsk = step, let lease = leases[key] else { return step }
    let waiting = Waiting(exchange)
    lease.waiting.append(waiting)
    lease.waitingCount += 1
    // Others that wait may have asked for all of them.
    if lease.waitingCount > lease.asked {
      ask(lease, max(demand(of: lease), lease.waitingCount - lease.asked))
    }
    let began = exchange.worker.now
    await exchange.sleep(nanoseconds: timeoutNanoseconds) { waiting.outcome != nil }
    if let outcome = waiting.outcome { return outcome }
    waiting.outcome = .mustAsk
    lease.waitingCount -= 1
    // A client's own deadline says nothing of Redis.
    if exchange.worker.now.nanoseconds(since: began) >= timeoutNanoseconds { client.connection.noteLate() }
    return .gone(client.connection.failure ?? PluginFailure("the client has not waited for Redis"))
  }

  // MARK: Asking

  /// Asks for more before the last is used, where several are used in the time of a lease.
  private func askAhead(_ lease: Lease, _ now: Int64) {
    guard lease.asked == 0, lease.taken > 1, lease.left <= lease.taken / 2, now >= lease.refusedUntil,
      now - lease.takenAt < 2 * Self.leaseNanoseconds, !client.connection.isGone
    else { return }
    ask(lease, demand(of: lease))
  }

  /// What the time of a lease takes, as far as that is known.
  private func demand(of lease: Lease) -> Int {
    let time = worker.now.nanoseconds - lease.takenAt
    if lease.taken == 0 || time >= Self.keepNanoseconds { return 1 }
    let used = lease.taken - lease.left
    let wanted = Int64(used) * Self.leaseNanoseconds / max(time, 1_000_000)
    return max(1, min(Int(wanted), lease.taken * Self.growthMax, leaseMax))
  }

  private func ask(_ lease: Lease, _ wanted: Int) {
    var unused = 0
    if worker.now.nanoseconds - lease.takenAt >= Self.keepNanoseconds { swap(&unused, &lease.left) }
    lease.asked += wanted
    let arguments = BucketScript.arguments(shape, wanted: wanted, unused: unused)
    client.connection.run(
      RedisCall(key: lease.name, arguments: arguments) { reply, call in
        lease.asked -= wanted
        guard let reply else { return self.failed(lease, call.problem) }
        guard let answer = BucketScript.Answer(reply, wanted: wanted) else {
          return self.failed(
            lease, PluginFailure("Redis answers the script of rate limits with something else"))
        }
        self.answered(lease, wanted, answer)
      })
  }

  private func answered(_ lease: Lease, _ wanted: Int, _ answer: BucketScript.Answer) {
    let now = worker.now.nanoseconds
    lease.left += answer.granted
    lease.taken = max(1, lease.left)
    lease.takenAt = now
    lease.remaining = answer.remaining
    let isShort = answer.granted < wanted
    if isShort {
      let wait = answer.granted > 0 ? 0 : answer.waitNanoseconds
      lease.nextAt = now + max(wait, pause)
      // Somebody may have emptied Redis, or given a client another chance.
      lease.refusedUntil = min(lease.nextAt, now + Self.keepNanoseconds)
    } else {
      lease.refusedUntil = 0
    }
    while lease.left > 0, let waiting = nextWaiting(lease) {
      lease.left -= 1
      let remaining = lease.remaining + lease.left
      end(waiting, .decided(WorkerBuckets.Result(passes: true, remaining: remaining, wait: 0)))
    }
    guard isShort else { return }
    // Those for whom more was asked wait on.
    while lease.waitingCount > lease.asked, let waiting = nextWaiting(lease) {
      end(waiting, .decided(lease.refusal(at: now)))
    }
  }

  private func failed(_ lease: Lease, _ problem: PluginFailure?) {
    let problem = problem ?? client.connection.failure ?? PluginFailure("Redis does not answer")
    while lease.waitingCount > lease.asked, let waiting = nextWaiting(lease) { end(waiting, .gone(problem)) }
  }

  private func nextWaiting(_ lease: Lease) -> Waiting? {
    while let waiting = lease.waiting.popFirst() {
      if waiting.outcome != nil { continue }
      lease.waitingCount -= 1
      return waiting
    }
    return nil
  }

  private func end(_ waiting: Waiting, _ outcome: Step) {
    waiting.outcome = outcome
    waiting.exchange.wake()
  }

  /// Forgets those that have nothing left to use.
  private func sweep(_ now: Int64) {
    leases = leases.filter { _, lease in
      lease.asked > 0 || lease.waitingCount > 0 || now - lease.takenAt < Self.keepNanoseconds
        || now < lease.refusedUntil
    }
    if leases.count > Self.leasesMax {
      leases = leases.filter { $0.value.asked > 0 || $0.value.waitingCount > 0 }
    }
    sweepAt = max(1_024, leases.count * 2)
  }
}
