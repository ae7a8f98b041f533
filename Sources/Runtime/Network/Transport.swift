/// A way to exchange bytes with a peer, and what it is known to be ready for: a socket, TLS over one,
/// or a stream among others on one connection.
///
/// Readiness is remembered: it is reported once, and holds until a call answers otherwise. A receive
/// that fills less than it was given has drained the transport, so no second call is made to hear
/// "would block". Belongs to one worker and is used on its thread only.
open class Transport {
  public final let worker: Worker
  /// Whom news is reported to; `nil` while nobody waits for any.
  public final var watcher: Watcher?
  /// What the watcher is to be told of.
  public final var interest: Readiness = []
  /// For implementations to set; others only read it.
  public final var readiness: Readiness
  public final var isOpen = true

  public init(on worker: Worker, readiness: Readiness) {
    self.worker = worker
    self.readiness = readiness
  }

  deinit {
    precondition(!isOpen, "a transport was dropped without being closed")
  }

  /// Receives into the room behind the buffer's bytes, at most `limit` of them. 0 bytes: the peer
  /// will send no more.
  open func receive(into buffer: Buffer, atMost limit: Int = .max) -> IOResult {
    preconditionFailure("abstract")
  }

  /// Sends the buffer's bytes and leaves them there.
  open func send(_ buffer: Buffer) -> IOResult { preconditionFailure("abstract") }

  /// Sends bytes `range` of the buffer, counted from its first byte, and leaves them there.
  open func send(_ buffer: Buffer, range: Range<Int>) -> IOResult { preconditionFailure("abstract") }

  /// Sends all of `first`, then bytes `range` of `second`. Neither may be empty.
  open func send(_ first: Buffer, _ second: Buffer, range: Range<Int>) -> IOResult {
    preconditionFailure("abstract")
  }

  /// Bytes that were accepted by a send but not yet by the system: they go by themselves when it
  /// takes more, unless the transport is closed before.
  open var hasUnsentBytes: Bool { false }

  /// Bytes that the system has taken and the peer's system has not acknowledged; 0 where that is not known.
  open var unsentBytes: Int { 0 }

  /// A send leaves little with the system beyond what is on its way.
  public private(set) final var keepsLittleUnsent = false

  /// Says whether a send leaves little, or as much as usual. Without effect where the system has no such limit.
  open func keepLittleUnsent(_ isLittle: Bool) { keepsLittleUnsent = isLittle }

  /// Whether the peer has neither closed nor sent anything: an idle connection that may be used.
  open func isQuiet() -> Bool { readiness.isDisjoint(with: [.readable, .peerClosed]) }

  /// Tells the peer that no more will be sent.
  open func shutdownSending() {}

  /// Closes; closing twice is allowed. With `reset`, the peer sees a reset.
  open func close(reset: Bool = false) { preconditionFailure("abstract") }

  /// Takes note of news, before anybody is told.
  public final func becomeReady(_ news: Readiness) { readiness.formUnion(news) }

  /// Tells the watcher, if the readiness is of interest to it.
  open func tellWatcher() {
    if !interest.isDisjoint(with: readiness), let watcher { watcher.socketIsReady(self) }
  }
}
