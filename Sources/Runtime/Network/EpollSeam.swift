import CLinux
import Glibc
import Synchronization

/// The real outside: epoll, TCP sockets, the system's clocks.
///
/// Sockets are edge-triggered: those that connect for both directions, accepted ones for reading
/// until a send fills them. Listening sockets are
/// level-triggered, so that a worker may take a few connections at a time.
///
/// `@safe`: its one pointer, to the kernel's event array, is used in `poll` alone.
@safe
public final class EpollSeam: Seam {
  /// Events taken from the kernel at a time; more wait for the next round.
  public static let eventsPerPoll = 256

  private let epoll: Int32
  private let wakeDescriptor: Int32
  private let kernelEvents: UnsafeMutablePointer<epoll_event>
  /// What ``now()`` answered last.
  private var lastNow = MonotonicTime(nanoseconds: 0)

  public override init() {
    epoll = epoll_create1(PENSTOCK_EPOLL_CLOEXEC)
    wakeDescriptor = penstock_eventfd()
    precondition(epoll >= 0 && wakeDescriptor >= 0, "cannot make an event loop: \(SystemError(errno))")
    unsafe kernelEvents = .allocate(capacity: Self.eventsPerPoll)
    super.init()
    let status = penstock_epoll_add(epoll, wakeDescriptor, PENSTOCK_EPOLL_IN)
    precondition(status == 0, "cannot watch an eventfd: \(SystemError(-status))")
  }

  deinit {
    unsafe kernelEvents.deallocate()
    _ = Glibc.close(wakeDescriptor)
    _ = Glibc.close(epoll)
  }

  // MARK: Time and chance

  public override func now() -> MonotonicTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    lastNow = MonotonicTime(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    return lastNow
  }

  public override func wallClockNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  public override func randomSeed() -> UInt64 { UInt64.random(in: .min ... .max) }

  // MARK: Events

  public override func poll(until deadline: MonotonicTime, into events: inout [ReadyEvent]) {
    // The kernel writes at most eventsPerPoll entries into memory of that size.
    let count = unsafe epoll_wait(epoll, kernelEvents, Int32(Self.eventsPerPoll), timeout(until: deadline))
    guard count > 0 else { return }
    for index in 0..<Int(count) {
      // index < count <= eventsPerPoll, and the kernel has written that many.
      let (data, flags) = unsafe (kernelEvents[index].data.u64, kernelEvents[index].events)
      let handle = Int32(truncatingIfNeeded: data)
      if handle == wakeDescriptor {
        drainWakeDescriptor()
        events.append(ReadyEvent(handle: Seam.wakeHandle, readiness: .readable))
      } else {
        events.append(ReadyEvent(handle: handle, readiness: Self.readiness(of: flags)))
      }
    }
  }

  /// Milliseconds for epoll, rounded up so that a deadline is not polled for in vain. Counted from
  /// the round's begin, which saves a look at the clock: a deadline is late by the round at most.
  private func timeout(until deadline: MonotonicTime) -> Int32 {
    if deadline == .never { return -1 }
    let nanoseconds = deadline.nanoseconds(since: lastNow)
    if nanoseconds <= 0 { return 0 }
    return Int32(clamping: (nanoseconds + 999_999) / 1_000_000)
  }

  private static func readiness(of events: UInt32) -> Readiness {
    var readiness: Readiness = []
    if events & PENSTOCK_EPOLL_IN != 0 { readiness.insert(.readable) }
    if events & PENSTOCK_EPOLL_OUT != 0 { readiness.insert(.writable) }
    if events & (PENSTOCK_EPOLL_RDHUP | PENSTOCK_EPOLL_HUP | PENSTOCK_EPOLL_ERR) != 0 {
      // A call on the socket will say what happened.
      readiness.formUnion([.readable, .peerClosed])
    }
    if events & (PENSTOCK_EPOLL_HUP | PENSTOCK_EPOLL_ERR) != 0 { readiness.insert(.writable) }
    return readiness
  }

  public override func wake() {
    var one: UInt64 = 1
    // Fails only when the counter is full, and then the wait ends anyway.
    _ = unsafe Glibc.write(wakeDescriptor, &one, 8)
  }

  private func drainWakeDescriptor() {
    var count: UInt64 = 0
    _ = unsafe Glibc.read(wakeDescriptor, &count, 8)
  }

  // MARK: Sockets

  public override func listen(on address: SocketAddress, backlog: Int32) throws(SystemError) -> Int32 {
    let handle = try makeSocket(for: address)
    do throws(SystemError) {
      try setOption(handle, SOL_SOCKET, SO_REUSEADDR, 1)
      // Each worker has a socket of its own; the kernel spreads connections over them.
      try setOption(handle, SOL_SOCKET, SO_REUSEPORT, 1)
      // Accepted sockets inherit these, which saves calls per connection.
      try setOption(handle, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
      try setOption(handle, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, Int32(Self.unsentBytesMax))
      if !address.isIPv4 { try setOption(handle, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
      // bind reads the address during the call only.
      try check(unsafe address.withSystemAddress { unsafe Glibc.bind(handle, $0, $1) })
      try check(Glibc.listen(handle, backlog))
      try watch(handle, PENSTOCK_EPOLL_IN)
    } catch {
      _ = Glibc.close(handle)
      throw error
    }
    return handle
  }

  public override func adopt(listening handle: Int32) throws(SystemError) {
    let status = penstock_adopt_listener(handle)
    if status < 0 { throw SystemError(-status) }
    try watch(handle, 0)
  }

  public override func duplicate(_ handle: Int32) throws(SystemError) -> Int32 {
    let copy = penstock_duplicate(handle)
    if copy < 0 { throw SystemError(-copy) }
    return copy
  }

  public override func stopWatching(_ handle: Int32) { _ = penstock_epoll_remove(epoll, handle) }

  public override func awaitFirstBytes(on handle: Int32) {
    // Where the system cannot, connections are reported at once.
    try? setOption(handle, Int32(IPPROTO_TCP), TCP_DEFER_ACCEPT, 1)
  }

  public override func localAddress(of handle: Int32) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // sockaddr_storage has room for every address that the kernel may write.
    let status = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(handle, $0, &length)
      }
    }
    return status == 0 ? SocketAddress(storage) : nil
  }

  public override func accept(from handle: Int32, peer: inout SocketAddress) -> IOResult {
    var storage = sockaddr_storage()
    let accepted = unsafe penstock_accept(handle, &storage)
    guard accepted >= 0 else { return IOResult(code: Int(accepted)) }
    peer = SocketAddress(storage) ?? .any
    return IOResult(code: Int(accepted))
  }

  public override func watch(accepted handle: Int32) -> Bool {
    penstock_epoll_add(epoll, handle, Self.readDirection) == 0
  }

  public override func setAccepting(_ accepting: Bool, on handle: Int32) {
    _ = penstock_epoll_modify(epoll, handle, accepting ? PENSTOCK_EPOLL_IN : 0)
  }

  public override func connect(
    to address: SocketAddress, windowBytes: Int? = nil
  ) throws(SystemError) -> Int32 {
    let handle = try makeSocket(for: address)
    do throws(SystemError) {
      try setOption(handle, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
      // Before the first segment: a window that was offered cannot be taken back (RFC 9293 §3.8.6). Not
      // TCP_WINDOW_CLAMP, which Linux forgets with the first content (6.18).
      if let windowBytes { try setOption(handle, SOL_SOCKET, SO_RCVBUF, Int32(clamping: windowBytes)) }
      // connect reads the address during the call only.
      let status = unsafe address.withSystemAddress { unsafe Glibc.connect(handle, $0, $1) }
      if status != 0 && errno != EINPROGRESS { throw SystemError(errno) }
      try watch(handle, Self.bothDirections)
    } catch {
      _ = Glibc.close(handle)
      throw error
    }
    return handle
  }

  public override func connectError(of handle: Int32) -> SystemError? {
    var number: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // The option is an int, and so is the variable.
    let status = unsafe getsockopt(handle, SOL_SOCKET, SO_ERROR, &number, &length)
    if status != 0 { return SystemError(errno) }
    return number == 0 ? nil : SystemError(number)
  }

  public override func receive(_ handle: Int32, into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
    // The caller's buffer is valid for the call.
    IOResult(code: unsafe penstock_recv(handle, buffer.baseAddress!, buffer.count))
  }

  public override func send(_ handle: Int32, _ bytes: UnsafeRawBufferPointer) -> IOResult {
    // The caller's bytes are valid for the call.
    IOResult(code: unsafe penstock_send(handle, bytes.baseAddress!, bytes.count))
  }

  public override func send(
    _ handle: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
  ) -> IOResult {
    // The caller's bytes are valid for the call.
    IOResult(
      code: unsafe penstock_send2(
        handle, first.baseAddress!, first.count, second.baseAddress!, second.count))
  }

  public override func isQuiet(_ handle: Int32) -> Bool { penstock_is_quiet(handle) == 1 }

  public override func unacknowledgedBytes(of handle: Int32) -> Int {
    Int(penstock_unacknowledged_bytes(handle))
  }

  public override func setUnsentBytesMax(_ bytes: Int, of handle: Int32) {
    // Where the system cannot, it is as it was.
    try? setOption(handle, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, Int32(clamping: bytes))
  }

  public override func connectionMemoryBytes() -> Int? {
    // Not there in other network namespaces than the system's first.
    (try? FileContent.read("/proc/sys/net/ipv4/tcp_mem")).flatMap { Self.connectionMemoryBytes(in: $0) }
  }

  /// Of three numbers, in pages: what is left alone, from where on windows shrink, and the end (tcp(7)).
  static func connectionMemoryBytes(in text: [UInt8]) -> Int? {
    let numbers = text.split { $0 <= UInt8(ascii: " ") }.map { Int(String(decoding: $0, as: UTF8.self)) }
    guard numbers.count == 3, let pages = numbers[1], pages > 0 else { return nil }
    let (bytes, isEndless) = pages.multipliedReportingOverflow(by: Int(ProcessMemory.pageBytes))
    return isEndless ? nil : bytes
  }

  public override func shutdownSending(_ handle: Int32) { _ = Glibc.shutdown(handle, Int32(SHUT_WR)) }

  public override func close(_ handle: Int32, reset: Bool) {
    if reset {
      var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
      // The option is a linger structure, and so is the variable.
      _ = unsafe setsockopt(
        handle, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }
    _ = Glibc.close(handle)
  }

  public override func watchWritable(_ handle: Int32) {
    _ = penstock_epoll_modify(epoll, handle, Self.bothDirections)
  }

  private static let readDirection = PENSTOCK_EPOLL_IN | PENSTOCK_EPOLL_RDHUP | PENSTOCK_EPOLL_EDGE
  private static let bothDirections = readDirection | PENSTOCK_EPOLL_OUT

  private func makeSocket(for address: SocketAddress) throws(SystemError) -> Int32 {
    let handle = penstock_tcp_socket(address.isIPv4 ? AF_INET : AF_INET6)
    if handle < 0 { throw SystemError(-handle) }
    return handle
  }

  private func setOption(_ handle: Int32, _ level: Int32, _ name: Int32, _ value: Int32) throws(SystemError) {
    let status = penstock_set_option(handle, level, name, value)
    if status < 0 { throw SystemError(-status) }
  }

  private func watch(_ handle: Int32, _ events: UInt32) throws(SystemError) {
    let status = penstock_epoll_add(epoll, handle, events)
    if status < 0 { throw SystemError(-status) }
  }

  private func check(_ status: Int32) throws(SystemError) {
    if status != 0 { throw SystemError(errno) }
  }
}
