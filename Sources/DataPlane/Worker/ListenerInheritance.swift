import Runtime

/// A listening socket of one worker, as one process tells another of it.
public struct HandoverSocket: Equatable, Sendable {
  /// As configured; the port may be 0.
  public var address: SocketAddress
  /// Whose it is.
  public var worker: Int
  /// Belongs to whoever has this value.
  public var handle: Int32

  public init(address: SocketAddress, worker: Int, handle: Int32) {
    self.address = address
    self.worker = worker
    self.handle = handle
  }
}

/// Listening sockets that the process before this one leaves to a worker, until it serves.
///
/// Until then nothing is accepted: the other process does, and may have to go on.
public struct ListenerInheritance: Sendable {
  /// By their addresses as configured. Where there were more workers before, one has several.
  private var handles: [SocketAddress: [Int32]] = [:]
  /// All that the process inherits: on these, a worker without a socket opens its own only when it serves,
  /// since from then on the kernel gives it connections.
  private var addresses: Set<SocketAddress> = []
  /// Listeners are opened, and do not accept yet.
  public private(set) var isHeld = false

  /// Of a process that inherits nothing.
  public init() {}

  /// The part of one worker of `count`.
  public init(of worker: Int, count: Int, from sockets: [HandoverSocket]) {
    isHeld = true
    addresses = Set(sockets.map(\.address))
    for socket in sockets where socket.worker % count == worker {
      handles[socket.address, default: []].append(socket.handle)
    }
  }

  /// Whether a socket is to be opened only by ``DataPlaneWorker/startAccepting()``.
  func waits(with address: SocketAddress) -> Bool { isHeld && addresses.contains(address) }

  /// The sockets for an address, which are the caller's from now on.
  mutating func claim(_ address: SocketAddress) -> [Int32] {
    handles.removeValue(forKey: address) ?? []
  }

  /// What nobody has claimed.
  mutating func takeRest() -> [SocketAddress: [Int32]] {
    defer { handles = [:] }
    return handles
  }
}
