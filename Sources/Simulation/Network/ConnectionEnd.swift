import Glibc
import Runtime

/// One end of a TCP connection as its host's system sees it.
///
/// What the calls answer and what is reported when follows Linux.
final class ConnectionEnd {
  enum State {
    case connecting
    /// A server's end before the client has confirmed it.
    case handshaking
    case established
    /// Refused or reset: nothing moves any more.
    case failed
  }

  unowned let network: SimulatedNetwork
  let local: SocketAddress
  let remote: SocketAddress
  let link: Link
  /// Both ends of a connection have the same.
  let number: Int
  var peer: ConnectionEnd?
  var listener: SimulatedListener?

  /// The worker that has it open; `nil` before `accept` and after `close`.
  private(set) weak var seam: SimulatedSeam?
  private(set) var handle: Int32 = -1
  /// Waits in its seam's list of news.
  var hasNews = false

  private(set) var state: State
  private var error: Int32 = 0
  private var isClosed = false
  /// It is the end that has connected.
  private(set) var isClient = false
  /// Something on the way to it was lost.
  var isBroken = false

  // Sending.
  private var unsent = ByteQueue()
  /// Bytes that may still be put on the wire.
  private var credit: Int
  private var finishWanted = false
  private var finishSent = false
  /// A send was short: say when there is room.
  private var wantsRoom = false
  private var wireFreeAt = MonotonicTime(nanoseconds: 0)
  private var lastArrival = MonotonicTime(nanoseconds: 0)

  // Receiving.
  private var unread = ByteQueue()
  private var finishReceived = false

  /// A server's end, made when a connection attempt arrives.
  init(
    network: SimulatedNetwork, local: SocketAddress, remote: SocketAddress, link: Link, number: Int
  ) {
    self.network = network
    self.number = number
    self.local = local
    self.remote = remote
    self.link = link
    credit = link.receiveBufferBytes
    state = .handshaking
  }

  /// A client's end, which begins to connect.
  func beginConnect() {
    state = .connecting
    isClient = true
    isWatchedWritable = true
    network.send(.attempt(self, tries: 0), at: arrivalTime())
  }

  func open(on seam: SimulatedSeam, handle: Int32) {
    self.seam = seam
    self.handle = handle
  }

  var isConnecting: Bool { state == .connecting && !isClosed }
  /// Bytes that were handed over and not read by the other side.
  var bytesUnderWay: Int { unsent.count + link.receiveBufferBytes - credit }

  // MARK: What poll reports

  var readiness: Readiness {
    var readiness: Readiness = []
    switch state {
    case .connecting, .handshaking: return []
    case .failed: return [.readable, .writable, .peerClosed]
    case .established: break
    }
    if !unread.isEmpty { readiness.insert(.readable) }
    if finishReceived { readiness.formUnion([.readable, .peerClosed]) }
    if isWatchedWritable && (roomForSending > 0 && !wantsRoom || finishWanted) { readiness.insert(.writable) }
    // Both directions have ended: the system reports a hang-up, asked or not.
    if finishReceived && finishWanted { readiness.insert(.writable) }
    return readiness
  }

  /// Accepted ends are not, until a send has filled them.
  private var isWatchedWritable = false

  func watchWritable() {
    isWatchedWritable = true
    report()
  }

  private func report() { seam?.report(self) }

  // MARK: Calls

  func takeError() -> Int32 {
    defer { error = 0 }
    return error
  }

  private var roomForSending: Int { link.sendBufferBytes - unsent.count }

  /// Bytes read, or the negative of an error number.
  func receive(into target: UnsafeMutableRawBufferPointer) -> Int {
    if state == .connecting { return -Int(EAGAIN) }
    // What came before a reset can still be read.
    if !unread.isEmpty {
      let count = unsafe unread.move(to: target)
      network.note("receive", local, count, connection: number)
      if state == .established, let peer { network.send(.credit(peer, count), at: arrivalTime()) }
      return count
    }
    if error != 0 { return -Int(takeError()) }
    return finishReceived || state == .failed ? 0 : -Int(EAGAIN)
  }

  /// Bytes taken over, or the negative of an error number.
  func send(_ bytes: UnsafeRawBufferPointer) -> Int {
    if error != 0 { return -Int(takeError()) }
    if finishWanted || state == .failed { return -Int(EPIPE) }
    if state != .established { return -Int(EAGAIN) }
    let count = min(bytes.count, admitted(of: bytes.count))
    if count > 0 {
      unsafe unsent.append(UnsafeRawBufferPointer(rebasing: bytes[0..<count]))
      network.note("send", local, count, connection: number)
      transmit()
    }
    if count < bytes.count && !wantsRoom {
      wantsRoom = true
      // Stopped by chance and not by a full buffer: nothing else would resume it.
      network.send(.mayResume(self), at: network.now.advanced(byNanoseconds: 50_000))
    }
    return count > 0 ? count : -Int(EAGAIN)
  }

  private func admitted(of count: Int) -> Int {
    let room = roomForSending
    guard link.shortSendPercent > 0, network.random.next(below: 100) < link.shortSendPercent else {
      return room
    }
    return min(room, network.random.next(below: count))
  }

  /// Asking for it takes the error, as a call that peeks does.
  func isQuiet() -> Bool { takeError() == 0 && state == .established && unread.isEmpty && !finishReceived }

  func shutdownSending() {
    guard state == .established, !finishWanted else { return }
    network.note("finish", local, connection: number)
    finishWanted = true
    transmit()
    // The state has changed, and the system says so to its own side.
    report()
  }

  /// The worker lets go of it. What was sent still goes out, unless there is something unread:
  /// then, or with `reset`, the peer sees a reset (RFC 2525 §2.17).
  func close(reset: Bool) {
    network.note(reset ? "close with reset" : "close", local, unread.count, connection: number)
    isClosed = true
    seam = nil
    handle = -1
    switch state {
    case .connecting, .handshaking: state = .failed
    case .failed: break
    case .established:
      if reset || !unread.isEmpty {
        sendReset()
        fail()
      } else {
        finishWanted = true
        transmit()
      }
    }
  }

  // MARK: Sending

  /// When something sent now arrives: in order, after latency and jitter.
  func arrivalTime(after departure: MonotonicTime? = nil) -> MonotonicTime {
    var delay = link.latency.inNanoseconds
    let jitter = link.jitter.inNanoseconds
    if jitter > 0 { delay += Int64(network.random.next(below: Int(jitter))) }
    let time = (departure ?? network.now).advanced(byNanoseconds: delay)
    lastArrival = max(lastArrival, time)
    return lastArrival
  }

  /// Puts on the wire what the receiver has room for.
  private func transmit() {
    guard state == .established, let peer else { return }
    while credit > 0 && !unsent.isEmpty {
      let largest = min(unsent.count, credit, link.segmentBytesMax)
      let size = link.hasRandomSegments ? 1 + network.random.next(below: largest) : largest
      credit -= size
      var departure = max(network.now, wireFreeAt)
      if let bandwidth = link.bandwidth {
        departure = departure.advanced(byNanoseconds: Int64(size) * 1_000_000_000 / Int64(bandwidth))
        wireFreeAt = departure
      }
      network.send(.bytes(peer, unsent.take(size)), at: arrivalTime(after: departure))
    }
    if finishWanted && unsent.isEmpty && !finishSent {
      finishSent = true
      network.send(.finish(peer), at: arrivalTime(after: max(network.now, wireFreeAt)))
      endIfDone()
    }
  }

  func receivedCredit(_ count: Int) {
    guard state == .established else { return }
    credit += count
    transmit()
    if wantsRoom && roomForSending * 3 >= link.sendBufferBytes { mayResume() }
  }

  func mayResume() {
    // A full buffer waits for the receiver instead.
    guard wantsRoom, state == .established, roomForSending * 3 >= link.sendBufferBytes else { return }
    wantsRoom = false
    report()
  }

  private func sendReset() {
    guard let peer else { return }
    network.send(.reset(peer), at: arrivalTime())
  }

  private func fail() {
    state = .failed
    unsent.removeAll()
    peer = nil
  }

  /// Both sides have finished and nobody has it open: it is no more.
  private func endIfDone() {
    if isClosed && finishSent && finishReceived { fail() }
  }

  // MARK: Arrivals

  func attemptAnswered(_ accepted: Bool) {
    guard state == .connecting else {
      // Given up meanwhile.
      if accepted { sendReset() }
      peer = nil
      return
    }
    if accepted, let peer {
      state = .established
      network.note("connected", local, connection: number)
      network.send(.attemptConfirmed(peer), at: arrivalTime())
    } else {
      state = .failed
      error = ECONNREFUSED
    }
    report()
  }

  func confirmed() {
    guard state == .handshaking, let listener else { return }
    self.listener = nil
    state = .established
    listener.enqueue(self)
    if !listener.isOpen { close(reset: true) }
  }

  func received(_ bytes: [UInt8]) {
    guard state == .established else { return }
    if isClosed {
      // Nobody is left to read it.
      sendReset()
      return fail()
    }
    network.observer?.arrived(number, atServer: !isClient, bytes)
    unread.append(bytes)
    network.note("arrived", local, bytes.count, connection: number)
    network.trace.noteContent(bytes)
    report()
  }

  func receivedFinish() {
    guard state == .established, !finishReceived else { return }
    finishReceived = true
    network.observer?.ended(number, atServer: !isClient, byReset: false)
    network.note("finish arrived", local, connection: number)
    report()
    endIfDone()
  }

  func receivedReset() {
    if state == .handshaking {
      listener?.releaseReservation()
      listener = nil
      return fail()
    }
    guard state == .established else { return }
    network.observer?.ended(number, atServer: !isClient, byReset: true)
    network.note("reset arrived", local, connection: number)
    // Linux says EPIPE where the peer had finished before it reset.
    error = finishReceived ? EPIPE : ECONNRESET
    fail()
    report()
  }
}
