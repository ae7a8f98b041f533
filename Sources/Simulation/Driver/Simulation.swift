import Runtime

/// Workers, a network between them and a clock, in one thread and by one seed.
///
/// Runs the workers round by round, in an order by chance; when none of them has anything to do,
/// the clock moves to the next thing that happens. A seed replays a run exactly: nothing in it
/// depends on the machine's clock, threads or sockets. To be used from one thread, and from code
/// that does not suspend.
public final class Simulation {
  public let seed: UInt64
  public let network: SimulatedNetwork
  public private(set) var workers: [Worker] = []
  private var seams: [SimulatedSeam] = []
  /// Has had something to do since it last found nothing.
  private var isBusy: [Bool] = []
  /// Programs that have not ended.
  public private(set) var runningPrograms: [String] = []

  /// Called after every round of a worker.
  public var afterTurn: ((Worker) -> Void)?

  /// Rounds at one point in time; an idle loop without progress would go on for ever.
  private static let roundsAtOneTimeMax = 20_000

  public init(seed: UInt64 = 1, link: Link = Link()) {
    self.seed = seed
    network = SimulatedNetwork(seed: seed, link: link)
  }

  /// Adds a worker with a seam of its own. Workers of one host have the same address.
  public func addWorker(host: SocketAddress) -> Worker {
    let seam = SimulatedSeam(network: network, host: host)
    let worker = Worker(index: workers.count, seam: seam)
    workers.append(worker)
    seams.append(seam)
    isBusy.append(true)
    return worker
  }

  public var now: MonotonicTime { network.now }

  public func seam(of worker: Worker) -> SimulatedSeam { seams[worker.index] }

  /// Starts a program: a function that runs on a worker. ``run(limit:)`` waits for its end.
  public func start(_ name: String, on worker: Worker, _ program: @escaping () async -> Void) {
    runningPrograms.append(name)
    worker.spawn {
      await program()
      self.runningPrograms.remove(at: self.runningPrograms.firstIndex(of: name)!)
    }
  }

  /// The clock moves on at once, as when a machine was suspended: what would have happened meanwhile
  /// happens late, all of it now.
  public func jump(_ duration: Duration) {
    network.now = network.now.advanced(byNanoseconds: duration.inNanoseconds)
  }

  // MARK: Running

  /// Runs until every program has ended.
  public func run(limit: Duration = .seconds(600)) throws(SimulationError) {
    try run(limit: limit) { self.runningPrograms.isEmpty }
  }

  /// Runs until `isDone`, which is asked between rounds, for at most `limit` of simulated time.
  public func run(limit: Duration = .seconds(600), until isDone: () -> Bool) throws(SimulationError) {
    let end = now.advanced(byNanoseconds: limit.inNanoseconds)
    if try !advance(to: end, until: isDone) { throw error(.outOfTime) }
  }

  /// Runs for a time, whether anything happens or not.
  public func run(for duration: Duration) throws(SimulationError) {
    let end = now.advanced(byNanoseconds: duration.inNanoseconds)
    do {
      _ = try advance(to: end) { false }
    } catch {
      guard error.reason == .stuck else { throw error }
      network.now = max(end, now)
    }
  }

  /// - Returns: whether `isDone` ended it, rather than the time.
  private func advance(to end: MonotonicTime, until isDone: () -> Bool) throws(SimulationError) -> Bool {
    var roundsAtThisTime = 0
    var time = now
    while !isDone() {
      // Calls may take time of their own.
      if now > end { return false }
      network.deliver()
      if turnBusyWorkers() {
        roundsAtThisTime = now > time ? 0 : roundsAtThisTime + 1
        time = now
        if roundsAtThisTime > Self.roundsAtOneTimeMax { throw error(.busyWithoutEnd) }
        continue
      }
      if seams.contains(where: { $0.leftItsThread }) { throw error(.leftWorker) }
      roundsAtThisTime = 0
      let deadlines = workers.compactMap(\.nextDeadline)
      guard let next = (deadlines + [network.nextDelivery].compactMap { $0 }).min() else {
        throw error(.stuck)
      }
      if next > end {
        network.now = end
        return false
      }
      network.now = max(next, now)
    }
    return true
  }

  /// One round of every worker that has something to do.
  /// - Returns: false when none had.
  private func turnBusyWorkers() -> Bool {
    var busy = workers.indices.filter { isBusy[$0] || mustTurn($0) }
    if busy.isEmpty { return false }
    if busy.count > 1 { busy.shuffle(using: &network.random) }
    for index in busy {
      let hadWork = mustTurn(index)
      workers[index].turn(until: now)
      afterTurn?(workers[index])
      // A round that found nothing is the one in which a real worker falls asleep.
      isBusy[index] = hadWork
    }
    return true
  }

  private func mustTurn(_ index: Int) -> Bool {
    let worker = workers[index]
    return worker.hasRunnableJobs || seams[index].hasNews || (worker.nextDeadline ?? .never) <= now
  }

  private func error(_ reason: SimulationError.Reason) -> SimulationError {
    var report =
      "seed \(seed), \(now.nanoseconds / 1_000_000) ms, \(network.deliveryCount) deliveries under way"
    report += ", programs: \(runningPrograms.joined(separator: ", "))"
    for (index, worker) in workers.enumerated() {
      report += "; worker \(index): \(worker.openSocketCount) sockets, \(worker.buffers.lentCount) buffers"
      if worker.hasRunnableJobs { report += ", runnable jobs" }
    }
    return SimulationError(reason: reason, report: report)
  }
}
