import Glibc
import Runtime
import Synchronization

/// A worker's contact with a ``SimulatedNetwork``: what ``EpollSeam`` is to the system.
///
/// Stands for one host, or for one of several workers of a host.
public final class SimulatedSeam: Seam {
  /// Events taken at a time, as the real seam takes them.
  private static let eventsPerPoll = 256
  private static let firstHandle: Int32 = 3

  private enum Descriptor {
    case listener(SimulatedListener)
    case connection(ConnectionEnd)
  }

  public let host: SocketAddress
  /// Sockets that may be open at once; `accept` and `connect` answer EMFILE beyond.
  public var descriptorLimit = Int.max
  /// What a call that moves bytes or opens a connection takes of the time, as on a machine that is slow or
  /// has much else to do.
  public var callNanoseconds: Int64 = 0
  unowned let network: SimulatedNetwork
  private var descriptors: [Descriptor?] = []
  public private(set) var descriptorCount = 0
  private var news: [ConnectionEnd] = []
  private let isWoken = Atomic(false)
  private let owner = pthread_self()
  /// Another thread called `wake()`: something left the worker.
  private let wasWokenFromOutside = Atomic(false)
  private var nextPort: UInt16 = 40_000

  init(network: SimulatedNetwork, host: SocketAddress) {
    self.network = network
    self.host = host
    super.init()
  }

  // MARK: Time and chance

  public override func now() -> MonotonicTime { network.now }

  /// Begins at 2026-01-01 00:00:00 UTC.
  public override func wallClockNanoseconds() -> Int64 {
    1_767_225_600_000_000_000 + network.now.nanoseconds - 1_000_000_000_000
      + network.wallClockOffset.inNanoseconds
  }

  public override func randomSeed() -> UInt64 { network.random.next() }

  // MARK: Events

  /// Whether a poll would report something.
  var hasNews: Bool {
    if isWoken.load(ordering: .relaxed) || !news.isEmpty { return true }
    return descriptors.contains { Self.isDue($0) }
  }

  var leftItsThread: Bool { wasWokenFromOutside.load(ordering: .relaxed) }

  /// Never blocks: time moves only when every worker is idle.
  public override func poll(until deadline: MonotonicTime, into events: inout [ReadyEvent]) {
    if isWoken.exchange(false, ordering: .relaxed) {
      events.append(ReadyEvent(handle: Seam.wakeHandle, readiness: .readable))
    }
    for index in descriptors.indices where Self.isDue(descriptors[index]) {
      events.append(ReadyEvent(handle: Int32(index) + Self.firstHandle, readiness: .readable))
    }
    // The system promises no order.
    if news.count > 1 { news.shuffle(using: &network.random) }
    let count = min(news.count, Self.eventsPerPoll)
    for end in news.prefix(count) {
      end.hasNews = false
      let readiness = end.readiness
      if end.handle >= 0 && !readiness.isEmpty {
        network.note("ready", end.local, Int(readiness.rawValue), connection: end.number)
        events.append(ReadyEvent(handle: end.handle, readiness: readiness))
      }
    }
    news.removeFirst(count)
  }

  private static func isDue(_ descriptor: Descriptor?) -> Bool {
    guard case .listener(let listener) = descriptor else { return false }
    return listener.isAccepting && !listener.waiting.isEmpty
  }

  /// An end has something new to say; it is asked what when the worker polls.
  func report(_ end: ConnectionEnd) {
    if end.hasNews { return }
    end.hasNews = true
    news.append(end)
  }

  public override func wake() {
    isWoken.store(true, ordering: .relaxed)
    if pthread_equal(owner, pthread_self()) == 0 { wasWokenFromOutside.store(true, ordering: .relaxed) }
  }

  // MARK: Descriptors

  private func open(_ descriptor: Descriptor) throws(SystemError) -> Int32 {
    guard descriptorCount < descriptorLimit else { throw .tooManyFiles }
    descriptorCount += 1
    if let index = descriptors.firstIndex(where: { $0 == nil }) {
      descriptors[index] = descriptor
      return Int32(index) + Self.firstHandle
    }
    descriptors.append(descriptor)
    return Int32(descriptors.count - 1) + Self.firstHandle
  }

  private func spendTime() {
    if callNanoseconds > 0 { network.now = network.now.advanced(byNanoseconds: callNanoseconds) }
  }

  private func descriptor(_ handle: Int32) -> Descriptor? {
    let index = Int(handle - Self.firstHandle)
    return descriptors.indices.contains(index) ? descriptors[index] : nil
  }

  private func connection(_ handle: Int32) -> ConnectionEnd? {
    if case .connection(let end) = descriptor(handle) { end } else { nil }
  }

  // MARK: Listening

  public override func listen(on address: SocketAddress, backlog: Int32) throws(SystemError) -> Int32 {
    var address = address
    // The wildcard stands for the host's one address.
    if address.octets == SocketAddress.any.octets || address.octets == SIMD16(repeating: 0) {
      address.octets = host.octets
    }
    if address.port == 0 { address.port = takePort() }
    let listener = SimulatedListener(address: address, backlog: Int(backlog), seam: self)
    let handle = try open(.listener(listener))
    network.add(listener)
    return handle
  }

  public override func localAddress(of handle: Int32) -> SocketAddress? {
    switch descriptor(handle) {
    case .listener(let listener): listener.address
    case .connection(let end): end.local
    case nil: nil
    }
  }

  public override func accept(from handle: Int32, peer: inout SocketAddress) -> IOResult {
    guard case .listener(let listener) = descriptor(handle) else { return .failed(SystemError(EBADF)) }
    spendTime()
    guard let end = listener.waiting.first else { return .wouldBlock }
    do {
      // Where it fails the connection goes on waiting.
      let accepted = try open(.connection(end))
      listener.waiting.removeFirst()
      end.open(on: self, handle: accepted)
      peer = end.remote
      network.note("accept", end.local, Int(accepted), connection: end.number)
      report(end)
      return IOResult(code: Int(accepted))
    } catch {
      return .failed(error)
    }
  }

  public override func watchWritable(_ handle: Int32) { connection(handle)?.watchWritable() }

  public override func setAccepting(_ accepting: Bool, on handle: Int32) {
    if case .listener(let listener) = descriptor(handle) { listener.isAccepting = accepting }
  }

  // MARK: Connections

  public override func connect(
    to address: SocketAddress, windowBytes: Int? = nil
  ) throws(SystemError) -> Int32 {
    spendTime()
    var local = host
    local.port = takePort()
    let end = ConnectionEnd(
      network: network, local: local, remote: address, link: network.link(to: address),
      number: network.takeConnectionNumber())
    let handle = try open(.connection(end))
    end.open(on: self, handle: handle)
    network.note("connect", address, Int(handle), connection: end.number)
    end.beginConnect()
    return handle
  }

  private func takePort() -> UInt16 {
    defer { nextPort = nextPort == .max ? 40_000 : nextPort + 1 }
    return nextPort
  }

  public override func connectError(of handle: Int32) -> SystemError? {
    guard let end = connection(handle) else { return SystemError(EBADF) }
    let number = end.takeError()
    return number == 0 ? nil : SystemError(number)
  }

  public override func receive(_ handle: Int32, into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
    guard let end = connection(handle) else { return .failed(SystemError(EBADF)) }
    spendTime()
    // The caller's buffer is valid for the call.
    return IOResult(code: unsafe end.receive(into: buffer))
  }

  public override func send(_ handle: Int32, _ bytes: UnsafeRawBufferPointer) -> IOResult {
    guard let end = connection(handle) else { return .failed(SystemError(EBADF)) }
    spendTime()
    // The caller's bytes are valid for the call.
    return IOResult(code: unsafe end.send(bytes))
  }

  public override func send(
    _ handle: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
  ) -> IOResult {
    // The caller's bytes are valid for the call, and copied in it.
    let joined = unsafe Array(first) + Array(second)
    return unsafe joined.withUnsafeBytes { unsafe send(handle, $0) }
  }

  public override func isQuiet(_ handle: Int32) -> Bool { connection(handle)?.isQuiet() ?? false }

  public override func shutdownSending(_ handle: Int32) { connection(handle)?.shutdownSending() }

  public override func close(_ handle: Int32, reset: Bool) {
    let index = Int(handle - Self.firstHandle)
    switch descriptor(handle) {
    case .listener(let listener):
      network.remove(listener)
      listener.isOpen = false
      for end in listener.waiting { end.close(reset: true) }
      listener.waiting = []
    case .connection(let end): end.close(reset: reset)
    case nil: preconditionFailure("a handle was closed that is not open")
    }
    descriptors[index] = nil
    descriptorCount -= 1
  }

  // MARK: For tests

  /// The number of the connection that a handle stands for; 0: none.
  public func connectionNumber(of handle: Int32) -> Int { connection(handle)?.number ?? 0 }

  /// Connections that are open here by whether they were accepted, each with its other end.
  public func forEachConnection(_ body: (_ remote: SocketAddress, _ wasAccepted: Bool) -> Void) {
    for case .connection(let end)? in descriptors { body(end.remote, !end.isClient) }
  }

  /// Bytes that this host handed over on its open connections and that were not yet read by their receivers.
  public var bytesUnderWay: Int {
    descriptors.reduce(0) { sum, descriptor in
      if case .connection(let end) = descriptor { sum + end.bytesUnderWay } else { sum }
    }
  }
}
