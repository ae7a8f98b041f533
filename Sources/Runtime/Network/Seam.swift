/// A worker's whole contact with the outside: sockets, time and randomness.
///
/// Two implementations: ``EpollSeam`` (the real one) and the simulated network of the tests. An
/// abstract class rather than a generic parameter: six dispatched calls a request cost less than
/// 0.1 % of it, and no type of the data plane carries a parameter (docs/decisions/0002).
///
/// Handles are small numbers, unique among the open sockets of a seam. All calls but ``wake()``
/// belong to the worker's thread. Calls never block, except ``poll(until:into:)``.
open class Seam {
  /// The handle that ``poll(until:into:)`` reports after ``wake()``.
  public static let wakeHandle: Int32 = -1

  /// What an accepted connection may hold in the system beyond what is on its way: without this, as much as the
  /// kernel's buffers grow to, which for a client that hardly reads was 0.8 MB. A download over loopback costs
  /// 15 % less CPU with it, since less memory is touched (docs/limits.md).
  public static let unsentBytesMax = 65_536
  /// The same where memory is short.
  public static let littleUnsentBytes = 8_192

  public init() {}

  open func now() -> MonotonicTime { preconditionFailure("abstract") }
  /// Nanoseconds since 1970-01-01 UTC.
  open func wallClockNanoseconds() -> Int64 { preconditionFailure("abstract") }
  open func randomSeed() -> UInt64 { preconditionFailure("abstract") }

  /// Waits until something is ready, `deadline` is reached or ``wake()`` is called, and reports
  /// what is ready. Readiness is edge-triggered: reported once when it begins.
  open func poll(until deadline: MonotonicTime, into events: inout [ReadyEvent]) {
    preconditionFailure("abstract")
  }

  /// Ends a wait, or the next one. From any thread.
  open func wake() { preconditionFailure("abstract") }

  /// Opens a listening socket; it is reported readable for as long as connections wait.
  open func listen(on address: SocketAddress, backlog: Int32) throws(SystemError) -> Int32 {
    preconditionFailure("abstract")
  }
  /// Reports a connection of a listening socket with its first bytes, or after a second without any,
  /// where the system knows how: for protocols in which the client speaks first (docs/decisions/0009).
  open func awaitFirstBytes(on handle: Int32) {}
  /// Takes over a listening socket that another process has opened, and still has. Nothing is reported of
  /// it before ``setAccepting(_:on:)``.
  open func adopt(listening handle: Int32) throws(SystemError) { throw .invalidArgument }
  /// Another handle for a listening socket, to be given to another process; whoever asks closes it.
  open func duplicate(_ handle: Int32) throws(SystemError) -> Int32 { throw .invalidArgument }
  /// Ends the reports of a listening socket that is about to be closed: where another process has it too,
  /// closing it here does not end them.
  open func stopWatching(_ handle: Int32) {}
  /// The address that a listening socket got, where port 0 was asked for.
  open func localAddress(of handle: Int32) -> SocketAddress? { preconditionFailure("abstract") }
  /// Takes a waiting connection. Nothing is reported of it before ``watch(accepted:)``.
  open func accept(from handle: Int32, peer: inout SocketAddress) -> IOResult {
    preconditionFailure("abstract")
  }
  /// Begins to report what an accepted connection becomes ready for. Apart from ``accept(from:peer:)``,
  /// so that what the client has sent already can be read first, and is not reported any more.
  /// - Returns: false when the system has no room for it.
  open func watch(accepted handle: Int32) -> Bool { true }
  /// Stops or resumes the reports of a listening socket.
  open func setAccepting(_ accepting: Bool, on handle: Int32) { preconditionFailure("abstract") }
  /// Begins a connection; the socket becomes writable when it is made or has failed.
  /// - windowBytes: What the peer may send before it is read, for as long as the connection lasts, where the system
  ///   knows how; nil: as much as it likes.
  open func connect(to address: SocketAddress, windowBytes: Int? = nil) throws(SystemError) -> Int32 {
    preconditionFailure("abstract")
  }
  /// Why a connection attempt failed, or `nil` when it succeeded.
  open func connectError(of handle: Int32) -> SystemError? { preconditionFailure("abstract") }

  /// Asks that `handle`, which a send has filled, be reported writable. Accepted sockets are not
  /// watched for that before: most of them never fill, and each report costs a round.
  open func watchWritable(_ handle: Int32) {}

  /// How much a send to an accepted connection may leave with the system beyond what is on its way; where the
  /// system knows how.
  open func setUnsentBytesMax(_ bytes: Int, of handle: Int32) {}
  /// What the system gives to all connections of all processes before it gets stingy; nil where that is not
  /// known.
  open func connectionMemoryBytes() -> Int? { nil }

  /// 0 bytes: the peer will send no more.
  open func receive(_ handle: Int32, into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
    preconditionFailure("abstract")
  }
  open func send(_ handle: Int32, _ bytes: UnsafeRawBufferPointer) -> IOResult {
    preconditionFailure("abstract")
  }
  /// Sends two runs of bytes as one. Neither may be empty.
  open func send(_ handle: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer)
    -> IOResult
  {
    preconditionFailure("abstract")
  }
  /// Bytes that were sent and that the peer has not acknowledged; 0 where that is not known.
  open func unacknowledgedBytes(of handle: Int32) -> Int { 0 }
  /// Whether the peer has neither closed nor sent anything: an idle connection that may be used.
  open func isQuiet(_ handle: Int32) -> Bool { preconditionFailure("abstract") }
  /// Tells the peer that no more will be sent.
  open func shutdownSending(_ handle: Int32) { preconditionFailure("abstract") }
  /// Closes; with `reset` the peer sees a reset, and unsent bytes are lost.
  open func close(_ handle: Int32, reset: Bool) { preconditionFailure("abstract") }
}
