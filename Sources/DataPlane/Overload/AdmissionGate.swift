import Runtime

/// Which new requests a worker begins when it has more to do than it can.
///
/// Most of a worker's time there is none of that, and a request costs two comparisons here. The delay of
/// ready sockets is looked at every 20 ms: a message of the worker to itself waits behind everything that is
/// ready, as the next request would.
///
/// A refusal costs nearly half of what it refuses: the calls of the system to read a request and to answer
/// it. So during an overload a request above the limit is not read. Its connection waits, without a
/// buffer; as many of these get 503 as take a small part of the worker's time, the longest waiting first.
/// A client that waits sends nothing more. See docs/decisions/0019.
final class AdmissionGate: Watcher {
  enum Decision {
    case admit
    /// Not to be read for now.
    case hold
    case refuse(RefusalReason)
  }

  private unowned let data: DataPlaneWorker
  private var control: OverloadControl
  private var held = HeldConnections()
  private var isLooking = false
  private var lookBegan = MonotonicTime(nanoseconds: 0)
  private var workAtLook: UInt64 = 0
  private var wasOverloaded = false
  private var round: UInt64 = 0
  /// Requests that were begun in this round.
  private var begunCount = 0
  private var hasRefused = false
  /// What is to be done at the end of this round.
  private var mustAttend = false
  private var mustMakeRoom = false
  /// Refusals of held connections that may be made; a fraction.
  private var refusalCredit = 0.0
  private var lastRounds: UInt64 = 0
  private var lastWork: UInt64 = 0

  static let lookNanoseconds: Int64 = 20_000_000
  /// Held connections that are refused for each request that is begun.
  private static let refusalsPerRequest = 0.1
  /// Held connections that are let go in a round when the overload is over.
  private static let releasesPerRound = 64
  /// A held connection is refused after this, whatever it costs.
  static let holdNanoseconds: Int64 = 10_000_000_000
  /// What a TLS handshake counts as, in requests.
  private static let handshakeRequests = 16
  private static let attentionNanoseconds: Int64 = 5_000_000

  init(of data: DataPlaneWorker, _ bounds: OverloadBounds) {
    self.data = data
    control = OverloadControl(bounds)
    super.init(on: data.worker)
  }

  var isOverloaded: Bool { control.isOverloaded }
  var heldCount: Int { held.count }

  // MARK: Looking

  /// To be called when a request or a connection comes and ``DataPlaneWorker/nextLook`` has passed.
  func look() {
    data.nextLook = worker.now.advanced(byNanoseconds: Self.lookNanoseconds)
    data.updateBuffers()
    let work = workDone
    let rounds = worker.roundCount
    // Where rounds are as many as requests, nothing waits.
    let isBusy = work &- lastWork > rounds &- lastRounds
    lastWork = work
    lastRounds = rounds
    guard isBusy, data.settings.admissionDelayNanoseconds != nil, !isLooking else { return }
    isLooking = true
    workAtLook = work
    lookBegan = worker.seam.now()
    worker.post(message)
  }

  /// What the worker sends to itself; made once, since it is sent often.
  private lazy var message: @Sendable (Worker) -> Void = {
    let gate = OnWorker(gate: self)
    return { _ in gate.gate?.seen() }
  }()

  /// In requests.
  private var workDone: UInt64 {
    let figures = data.counters.figures
    let handshakes = figures.handshakes.tls12Full &+ figures.handshakes.tls13Full
    return figures.requests &+ figures.connectionsAccepted &+ handshakes &* UInt64(Self.handshakeRequests)
  }

  private func seen() {
    isLooking = false
    guard let target = data.settings.admissionDelayNanoseconds else { return }
    let delay = worker.now.nanoseconds(since: lookBegan)
    control.note(
      delay: delay, behind: Int(workDone &- workAtLook), target: target, now: worker.now.nanoseconds)
    refresh()
  }

  /// Draws the consequences of a change of what is held in buffers, or of the control's state.
  func refresh() {
    data.isShedding = control.isOverloaded || !held.isEmpty || data.buffers.level == .full
    if control.isOverloaded && !wasOverloaded { data.counters.figures.overloads &+= 1 }
    wasOverloaded = control.isOverloaded
    if control.isOverloaded || !held.isEmpty {
      setDeadline(worker.now.advanced(byNanoseconds: Self.attentionNanoseconds))
    }
  }

  // MARK: Requests

  /// Whether one more request may begin. To be asked while ``DataPlaneWorker/isShedding``.
  func decide() -> Decision {
    if data.buffers.level == .full { return .refuse(.memory) }
    guard control.isOverloaded else { return .admit }
    beginRound()
    guard begunCount < control.requestsPerRound else {
      hasRefused = true
      return .hold
    }
    begunCount += 1
    return .admit
  }

  /// The same for what cannot be held back: a stream of HTTP/2, a request that was sent ahead.
  func refusal() -> RefusalReason? {
    switch decide() {
    case .admit: nil
    case .hold: .admission
    case .refuse(let reason): reason
    }
  }

  /// Whether a TLS handshake may begin; it counts as many requests.
  func admitsHandshake() -> Bool {
    guard control.isOverloaded else { return data.buffers.level < .full }
    guard case .admit = decide() else { return false }
    begunCount += Self.handshakeRequests - 1
    return true
  }

  func hold(_ connection: ClientConnection) { held.append(connection) }

  private func beginRound() {
    if round == worker.roundCount { return }
    round = worker.roundCount
    begunCount = 0
    hasRefused = false
    mustAttend = true
    worker.callBeforePoll(self)
  }

  /// Memory is short: idle connections are closed when the round is over.
  func makeRoomSoon() {
    if mustMakeRoom { return }
    mustMakeRoom = true
    worker.callBeforePoll(self)
  }

  override func beforePoll() {
    if mustMakeRoom {
      mustMakeRoom = false
      data.closeIdleForRoom()
    }
    if mustAttend {
      mustAttend = false
      attend()
    }
  }

  override func deadlinePassed() {
    // A round in which requests came ends with ``beforePoll()``.
    if round == worker.roundCount { refresh() } else { attend() }
  }

  private func attend() {
    let now = worker.seam.now()
    control.roundEnded(
      spent: now.nanoseconds(since: worker.now), hasRefused: hasRefused, now: now.nanoseconds)
    if !control.isOverloaded {
      release(Self.releasesPerRound)
    } else if !hasRefused {
      release(control.requestsPerRound - begunCount)
    }
    hasRefused = false
    refuseHeld()
    refresh()
  }

  private func release(_ count: Int) {
    for _ in 0..<max(count, 0) {
      guard let connection = held.popNewest() else { return }
      connection.endHold(refuse: nil)
    }
  }

  private func refuseHeld() {
    // Where nothing is begun at all, they are refused all the same.
    refusalCredit += max(Double(begunCount) * Self.refusalsPerRequest, Self.refusalsPerRequest)
    begunCount = 0
    while refusalCredit >= 1 {
      refusalCredit -= 1
      guard let connection = held.popOldest() else {
        refusalCredit = 0
        return
      }
      connection.endHold(refuse: .admission)
    }
  }
}

/// `@unchecked Sendable`: the gate posts it to its own worker, and it is used there only.
private struct OnWorker: @unchecked Sendable {
  weak var gate: AdmissionGate?
}
