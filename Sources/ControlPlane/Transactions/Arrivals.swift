/// The last transactions that came, to tell a crowd of clients from one that goes on when it is answered.
///
/// One that goes on must not wait for others, who will not come. In a crowd, a commit that waits a little takes
/// several with it, and the processor time of a commit (the sync, locks and checks of the files, the wake-up of
/// each worker) is paid once for them.
struct Arrivals {
  /// So many within ``span``, from at least ``clientsMin`` connections, are a crowd.
  static let countMin = 8
  static let span = Duration.milliseconds(10)
  static let clientsMin = 4

  private var times: [ContinuousClock.Instant] = []
  private var clients: [String] = []
  /// Of the oldest, once there are enough.
  private var oldest = 0

  mutating func note(client: String, at time: ContinuousClock.Instant) {
    guard times.count == Self.countMin else {
      times.append(time)
      clients.append(client)
      return
    }
    times[oldest] = time
    clients[oldest] = client
    oldest = (oldest + 1) % Self.countMin
  }

  func isCrowd(at now: ContinuousClock.Instant) -> Bool {
    times.count == Self.countMin && now - times[oldest] <= Self.span && Set(clients).count >= Self.clientsMin
  }
}
