/// A connected or connecting socket of one worker, and what it is known to be ready for.
///
/// Readiness is remembered: the poller reports it once, and it holds until a call answers
/// otherwise. A receive that fills less than it was given has drained the socket, so no second
/// call is made to hear "would block".
public final class Socket {
  public let handle: Int32
  public let worker: Worker
  private let seam: Seam
  /// Whom news is reported to; `nil` while nobody waits for any.
  public var watcher: Watcher?
  /// What the watcher is to be told of.
  public var interest: Readiness = []
  public private(set) var readiness: Readiness
  public private(set) var isOpen = true
  private var isWatchedWritable: Bool

  private init(_ handle: Int32, on worker: Worker, readiness: Readiness, isWatchedWritable: Bool = true) {
    self.isWatchedWritable = isWatchedWritable
    self.handle = handle
    self.worker = worker
    seam = worker.seam
    self.readiness = readiness
    worker.sockets.insert(self)
  }

  /// A connection that `accept` gave: writable, and not known to be readable.
  public convenience init(accepted handle: Int32, on worker: Worker) {
    self.init(handle, on: worker, readiness: .writable, isWatchedWritable: false)
  }

  /// Begins a connection. Wait for `.writable`, then ask ``connectError()``.
  public static func connect(to address: SocketAddress, on worker: Worker) throws(SystemError) -> Socket {
    Socket(try worker.seam.connect(to: address), on: worker, readiness: [])
  }

  /// Opens a listening socket.
  public static func listen(on address: SocketAddress, backlog: Int32, worker: Worker) throws(SystemError)
    -> Socket
  {
    Socket(try worker.seam.listen(on: address, backlog: backlog), on: worker, readiness: [])
  }

  deinit {
    precondition(!isOpen, "a socket was dropped without being closed")
  }

  public func connectError() -> SystemError? { seam.connectError(of: handle) }

  /// Receives into the room behind the buffer's bytes, at most `limit` of them.
  public func receive(into buffer: Buffer, atMost limit: Int = .max) -> IOResult {
    // The pointer does not leave this function, and the seam writes no more than the room's size.
    let room = unsafe buffer.takeRoom(atMost: limit)
    let result = unsafe seam.receive(handle, into: room)
    if result.isWouldBlock {
      // A peer that has closed would have been answered with 0.
      readiness.subtract([.readable, .peerClosed])
    } else {
      let isDrained = result.bytes < room.count
      if isDrained && !readiness.contains(.peerClosed) { readiness.remove(.readable) }
      if result.bytes > 0 { buffer.keep(result.bytes) }
    }
    return result
  }

  /// Sends the buffer's bytes and leaves them there.
  public func send(_ buffer: Buffer) -> IOResult {
    let count = buffer.count
    // The pointer does not leave the call.
    let result = unsafe buffer.withBytes { unsafe seam.send(handle, $0) }
    return sent(result, of: count)
  }

  /// Sends bytes `range` of the buffer, counted from its first byte, and leaves them there.
  public func send(_ buffer: Buffer, range: Range<Int>) -> IOResult {
    // The pointer does not leave the call; the slice is checked against the buffer's bytes.
    let result = unsafe buffer.withBytes {
      unsafe seam.send(handle, UnsafeRawBufferPointer(rebasing: $0[range]))
    }
    return sent(result, of: range.count)
  }

  /// Sends all of `first`, then bytes `range` of `second`, in one call. Neither may be empty.
  public func send(_ first: Buffer, _ second: Buffer, range: Range<Int>) -> IOResult {
    // The pointers do not leave the calls; the slice is checked against the buffer's bytes.
    let result = unsafe first.withBytes { head in
      unsafe second.withBytes { body in
        unsafe seam.send(handle, head, UnsafeRawBufferPointer(rebasing: body[range]))
      }
    }
    return sent(result, of: first.count + range.count)
  }

  public func isQuiet() -> Bool {
    readiness.isDisjoint(with: [.readable, .peerClosed]) && seam.isQuiet(handle)
  }

  public func shutdownSending() { seam.shutdownSending(handle) }

  /// Closes; closing twice is allowed. With `reset`, the peer sees a reset.
  public func close(reset: Bool = false) {
    guard isOpen else { return }
    isOpen = false
    watcher = nil
    worker.sockets.remove(self)
    seam.close(handle, reset: reset)
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

  func becomeReady(_ news: Readiness) { readiness.formUnion(news) }

  func tellWatcher() {
    if !interest.isDisjoint(with: readiness), let watcher { watcher.socketIsReady(self) }
  }

  /// A listening socket is reported for as long as connections wait, so nothing is remembered.
  public func forgetReadiness() { readiness = [] }
}

extension Worker {
  /// Sockets that are open on this worker.
  public var openSocketCount: Int { sockets.count }
}
