import Runtime

/// Work of a worker that is done in slices.
protocol SlicedWork: AnyObject {
  /// Goes on until the work is done or the slice is over.
  /// - Returns: whether it is done.
  func advance(_ slice: ChangeSlice) -> Bool
}

/// What a worker has to do in slices, one after the other: changes, and copies of its figures.
///
/// Between two slices the loop makes a whole round, in which every connection that is ready is served.
final class ChangeQueue {
  private let worker: Worker
  private let counters: WorkerCounters
  private let slice: ChangeSlice
  private var waiting: [any SlicedWork] = []
  /// Of ``waiting``, those before this one are done.
  private var next = 0
  private var isScheduled = false
  private var isRunning = false

  init(of data: DataPlaneWorker, budget: ChangeBudget) {
    worker = data.worker
    counters = data.counters
    slice = ChangeSlice(budget, seam: worker.seam)
  }

  /// Begins the work, or puts it behind what is there.
  func add(_ work: any SlicedWork) {
    waiting.append(work)
    if !isScheduled && !isRunning { run() }
  }

  private func run() {
    isRunning = true
    let began = worker.seam.now()
    defer {
      isRunning = false
      counters.figures.changePauseNanosecondsMax = max(
        counters.figures.changePauseNanosecondsMax, worker.seam.now().nanoseconds(since: began))
    }
    slice.begin(round: worker.roundCount)
    while next < waiting.count {
      if slice.isUsedUp || !waiting[next].advance(slice) { return schedule() }
      next += 1
    }
    waiting = []
    next = 0
  }

  /// A task is run in the loop's next round, behind the events of this one.
  private func schedule() {
    isScheduled = true
    // What is done must not be held until the rest is.
    waiting.removeSubrange(0..<next)
    next = 0
    worker.spawn { [self] in
      let pause = slice.budget.pauseNanoseconds
      if pause > 0 { await Waiter(on: worker).sleep(until: worker.now.advanced(byNanoseconds: pause)) }
      isScheduled = false
      run()
    }
  }
}
