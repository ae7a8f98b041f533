/// A socket of one worker: connected, connecting or listening.
open class Socket: Transport {
  public final let handle: Int32
  private let seam: Seam
  private var isWatchedWritable: Bool
  /// What the peer may send before it is read was bounded when it was connected.
  public final let hasSmallWindow: Bool

  private init(_ handle: Int32, on worker: Worker, readiness: Readiness, isWatchedWritable: Bool = true) {
    self.isWatchedWritable = isWatchedWritable
    self.handle = handle
    hasSmallWindow = false
    seam = worker.seam
    super.init(on: worker, readiness: readiness)
    worker.sockets.insert(self)
  }

  /// A connection that `accept` gave: writable, and not known to be readable. To be watched with
  /// ``beginWatching()``.
  public init(accepted handle: Int32, on worker: Worker) {
    isWatchedWritable = false
    hasSmallWindow = false
    self.handle = handle
    seam = worker.seam
    super.init(on: worker, readiness: .writable)
    worker.sockets.insert(self)
  }

  /// Begins a connection. Wait for `.writable`, then ask ``connectError()``.
  ///
  /// - Parameter windowBytes: what the peer may send before it is read; nil: as much as the system likes.
  public init(
    connectingTo address: SocketAddress, on worker: Worker, windowBytes: Int? = nil
  ) throws(SystemError) {
    isWatchedWritable = true
    hasSmallWindow = windowBytes != nil
    handle = try worker.seam.connect(to: address, windowBytes: windowBytes)
    seam = worker.seam
    super.init(on: worker, readiness: [])
    worker.sockets.insert(self)
  }

  /// Opens a listening socket.
  public static func listen(on address: SocketAddress, backlog: Int32, worker: Worker) throws(SystemError)
    -> Socket
  {
    Socket(try worker.seam.listen(on: address, backlog: backlog), on: worker, readiness: [])
  }

  /// Takes over a listening socket that another process has opened, and still has. Nothing is reported of
  /// it before ``Seam/setAccepting(_:on:)``. Where it throws, the handle is still the caller's.
  public static func listen(adopting handle: Int32, worker: Worker) throws(SystemError) -> Socket {
    try worker.seam.adopt(listening: handle)
    return Socket(handle, on: worker, readiness: [])
  }

  /// Asks for news of an accepted connection; what it has sent already may be read before.
  /// - Returns: false when the system has no room for it.
  public final func beginWatching() -> Bool {
    guard seam.watch(accepted: handle) else { return false }
    // What was sent before may have filled it.
    if isWatchedWritable { seam.watchWritable(handle) }
    return true
  }

  public final func connectError() -> SystemError? { seam.connectError(of: handle) }

  override open func receive(into buffer: Buffer, atMost limit: Int = .max) -> IOResult {
    // The pointer does not leave this function, and the seam writes no more than the room's size.
    let room = unsafe buffer.takeRoom(atMost: limit)
    let result = unsafe receiveBytes(into: room)
    if result.bytes > 0 { buffer.keep(result.bytes) }
    return result
  }

  override open func send(_ buffer: Buffer) -> IOResult {
    // The pointer does not leave the call.
    unsafe buffer.withBytes { unsafe sendBytes($0) }
  }

  override open func send(_ buffer: Buffer, range: Range<Int>) -> IOResult {
    // The pointer does not leave the call; the slice is checked against the buffer's bytes.
    unsafe buffer.withBytes { unsafe sendBytes(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  override open func send(_ first: Buffer, _ second: Buffer, range: Range<Int>) -> IOResult {
    // The pointers do not leave the calls; the slice is checked against the buffer's bytes.
    let result = unsafe first.withBytes { head in
      unsafe second.withBytes { body in
        unsafe seam.send(handle, head, UnsafeRawBufferPointer(rebasing: body[range]))
      }
    }
    return sent(result, of: first.count + range.count)
  }

  override open func isQuiet() -> Bool {
    readiness.isDisjoint(with: [.readable, .peerClosed]) && seam.isQuiet(handle)
  }

  override open var unsentBytes: Int { seam.unacknowledgedBytes(of: handle) }

  override open func keepLittleUnsent(_ isLittle: Bool) {
    super.keepLittleUnsent(isLittle)
    seam.setUnsentBytesMax(isLittle ? Seam.littleUnsentBytes : Seam.unsentBytesMax, of: handle)
  }

  override open func shutdownSending() { seam.shutdownSending(handle) }

  override open func close(reset: Bool = false) {
    guard isOpen else { return }
    isOpen = false
    watcher = nil
    worker.sockets.remove(self)
    seam.close(handle, reset: reset)
  }

  /// A listening socket is reported for as long as connections wait, so nothing is remembered.
  public final func forgetReadiness() { readiness = [] }

  // MARK: Bytes on the wire

  /// One call of the seam, and what it says of the socket's readiness. For layers that are put on a
  /// socket, such as TLS; `room` must not be empty.
  public final func receiveBytes(into room: UnsafeMutableRawBufferPointer) -> IOResult {
    // The caller's memory is valid for the call.
    let result = unsafe seam.receive(handle, into: room)
    if result.isWouldBlock {
      // A peer that has closed would have been answered with 0.
      readiness.subtract([.readable, .peerClosed])
    } else {
      let isDrained = result.bytes < room.count
      if isDrained && !readiness.contains(.peerClosed) { readiness.remove(.readable) }
    }
    return result
  }

  /// One call of the seam, and what it says of the socket's readiness. `bytes` must not be empty.
  public final func sendBytes(_ bytes: UnsafeRawBufferPointer) -> IOResult {
    // The caller's memory is valid for the call.
    sent(unsafe seam.send(handle, bytes), of: bytes.count)
  }

  private func sent(_ result: IOResult, of count: Int) -> IOResult {
    if result.isWouldBlock || (result.bytes >= 0 && result.bytes < count) { becomeFull() }
    return result
  }

  private func becomeFull() {
    readiness.remove(.writable)
    if isWatchedWritable { return }
    isWatchedWritable = true
    seam.watchWritable(handle)
  }
}

extension Worker {
  /// Sockets that are open on this worker.
  public var openSocketCount: Int { sockets.count }
}
