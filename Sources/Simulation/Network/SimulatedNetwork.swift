import Runtime

/// A network in memory, with a clock that stands still unless it is moved.
///
/// Belongs to one ``Simulation`` and its thread. All chance comes from the seed.
public final class SimulatedNetwork {
  /// What the clock says.
  public internal(set) var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
  public internal(set) var random: SplitMix64
  public var trace = Trace()
  /// How bytes travel, unless ``links`` says otherwise.
  public var link: Link
  /// Links to single listeners, by their address.
  private var links: [Place: Link] = [:]
  private var deliveries = DeliveryQueue()
  private var listeners: [Place: [SimulatedListener]] = [:]
  /// Hosts that nothing reaches and that reach nobody.
  private var silentHosts: Set<SIMD16<UInt8>> = []
  private var deafPlaces: Set<Place> = []
  /// Connections that were made so far.
  public private(set) var connectionsMade = 0
  /// Is told of all that arrives.
  public var observer: (any NetworkObserver)?
  /// How far the clocks of the day are from where they would be: they may be set, which the clock that
  /// deadlines are measured by may not.
  public var wallClockOffset = Duration.zero

  /// An address and port, however the address is written.
  struct Place: Hashable {
    let octets: SIMD16<UInt8>
    let port: UInt16

    init(_ address: SocketAddress) {
      octets = address.octets
      port = address.port
    }
  }

  init(seed: UInt64, link: Link) {
    random = SplitMix64(seed: seed)
    self.link = link
  }

  // MARK: Faults

  /// Sets how bytes travel on connections to a listener that are made from now on.
  public func setLink(to address: SocketAddress, _ link: Link) { links[Place(address)] = link }

  /// Cuts a host off: nothing arrives from or at it, and nobody is told. What is sent meanwhile is lost.
  public func silence(_ host: SocketAddress) { silentHosts.insert(host.octets) }

  /// Ends ``silence(_:)``.
  public func unsilence(_ host: SocketAddress) { silentHosts.remove(host.octets) }

  /// Attempts to connect to an address are not answered.
  public func ignoreConnects(to address: SocketAddress) { deafPlaces.insert(Place(address)) }

  /// Ends ``ignoreConnects(to:)``.
  public func answerConnects(to address: SocketAddress) { deafPlaces.remove(Place(address)) }

  // MARK: Time

  /// When something arrives next.
  var nextDelivery: MonotonicTime? { deliveries.nextTime }
  var deliveryCount: Int { deliveries.count }

  /// Delivers what has arrived by now.
  func deliver() {
    while let delivery = deliveries.take(dueAt: now) { deliver(delivery) }
  }

  /// Moves the clock and delivers what arrives meanwhile, without running any worker: for tests of
  /// the network itself.
  public func pass(_ duration: Duration) {
    let end = now.advanced(byNanoseconds: duration.inNanoseconds)
    while let next = deliveries.nextTime, next <= end {
      now = max(now, next)
      deliver()
    }
    now = end
  }

  func send(_ delivery: Delivery, at time: MonotonicTime) { deliveries.add(delivery, at: time) }

  private func deliver(_ delivery: Delivery) {
    switch delivery {
    case .attempt(let client, let tries): attemptArrived(client, tries: tries)
    case .attemptAnswered(let client, let accepted):
      if reaches(client) { client.attemptAnswered(accepted) }
    case .attemptConfirmed(let server): if reaches(server) { server.confirmed() }
    case .bytes(let end, let bytes): if reaches(end) { end.received(bytes) }
    case .finish(let end): if reaches(end) { end.receivedFinish() }
    case .reset(let end): if reaches(end) { end.receivedReset() }
    case .credit(let end, let count): if reaches(end) { end.receivedCredit(count) }
    case .mayResume(let end): end.mayResume()
    }
  }

  private func reaches(_ end: ConnectionEnd) -> Bool {
    let isSilent = silentHosts.contains(end.local.octets) || silentHosts.contains(end.remote.octets)
    if isSilent {
      // A stream with a hole: what comes later cannot be understood.
      end.isBroken = !end.isConnecting
    }
    return !end.isBroken && !isSilent
  }

  func note(_ what: StaticString, _ place: SocketAddress, _ value: Int = 0, connection: Int = 0) {
    trace.note(what, at: now, place, value, connection: connection)
  }

  /// Notes what a program did; see ``Trace/remark(at:connection:_:)``.
  public func remark(connection: Int = 0, _ text: @autoclosure () -> String) {
    trace.remark(at: now, connection: connection, text())
  }

  /// Connections are numbered from 1, in the order in which they are made.
  func takeConnectionNumber() -> Int {
    connectionsMade += 1
    return connectionsMade
  }

  // MARK: Listeners

  func add(_ listener: SimulatedListener) { listeners[Place(listener.address), default: []].append(listener) }

  func remove(_ listener: SimulatedListener) {
    listeners[Place(listener.address)]?.removeAll { $0 === listener }
  }

  func link(to address: SocketAddress) -> Link { links[Place(address)] ?? link }

  /// Connection attempts that the listener has no room for are dropped, and repeated by the client's
  /// system after a second, then two, and so on (RFC 6298 §2).
  private func attemptArrived(_ client: ConnectionEnd, tries: Int) {
    guard client.isConnecting else { return }
    let isDeaf = deafPlaces.contains(Place(client.remote))
    guard reaches(client), !isDeaf else { return repeatAttempt(client, tries: tries) }
    let candidates = listeners[Place(client.remote)] ?? []
    guard !candidates.isEmpty else {
      note("refused", client.remote)
      return send(.attemptAnswered(client, accepted: false), at: client.arrivalTime())
    }
    let listener = candidates.count == 1 ? candidates[0] : candidates[random.next(below: candidates.count)]
    guard listener.hasRoom else {
      note("queue full", client.remote)
      return repeatAttempt(client, tries: tries)
    }
    listener.reserve()
    let server = ConnectionEnd(
      network: self, local: client.remote, remote: client.local, link: client.link, number: client.number)
    server.listener = listener
    server.peer = client
    client.peer = server
    observer?.connected(client.number, from: client.local, to: client.remote)
    send(.attemptAnswered(client, accepted: true), at: server.arrivalTime())
  }

  private func repeatAttempt(_ client: ConnectionEnd, tries: Int) {
    // Linux gives up after six repetitions, some two minutes; the gateway's timeouts are shorter.
    guard tries < 6 else { return }
    let pause = Int64(1_000_000_000) << Int64(tries)
    send(.attempt(client, tries: tries + 1), at: now.advanced(byNanoseconds: pause))
  }
}

/// A listening socket of one worker.
final class SimulatedListener {
  let address: SocketAddress
  let backlog: Int
  unowned let seam: SimulatedSeam
  var isAccepting = true
  var isOpen = true
  var waiting: [ConnectionEnd] = []
  /// Connections whose handshake is not complete.
  private var reserved = 0

  init(address: SocketAddress, backlog: Int, seam: SimulatedSeam) {
    self.address = address
    self.backlog = backlog
    self.seam = seam
  }

  /// Linux holds one connection more than the backlog.
  var hasRoom: Bool { waiting.count + reserved <= backlog }

  func reserve() { reserved += 1 }
  func releaseReservation() { reserved -= 1 }

  func enqueue(_ end: ConnectionEnd) {
    reserved -= 1
    waiting.append(end)
  }
}
