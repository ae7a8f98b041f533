import Runtime

/// Requests that wait for a service, first come, first served. Bounded by its user.
struct WaitQueue {
  private var waiters: [Waiter] = []

  var count: Int { waiters.count }
  var isEmpty: Bool { waiters.isEmpty }

  func isFirst(_ waiter: Waiter) -> Bool { waiters.first === waiter }

  mutating func append(_ waiter: Waiter) { waiters.append(waiter) }

  /// Linear, but only for those that wait: a queue is the exception.
  /// - Returns: whether it was there.
  mutating func remove(_ waiter: Waiter) -> Bool {
    guard let index = waiters.firstIndex(where: { $0 === waiter }) else { return false }
    waiters.remove(at: index)
    return true
  }

  /// Wakes the first that was not woken yet. It keeps its place until it leaves by itself.
  @inline(__always)
  func wakeFirst() {
    // Nearly always, and after every request.
    if waiters.isEmpty { return }
    wakeFirstOfSome()
  }

  @inline(never)
  private func wakeFirstOfSome() {
    for waiter in waiters where waiter.isWaiting {
      waiter.wake()
      return
    }
  }

  func wakeAll() {
    for waiter in waiters { waiter.wake() }
  }
}
