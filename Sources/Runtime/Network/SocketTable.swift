/// Open sockets by handle.
///
/// `@safe`: a reference is kept, and counted once, from `insert` to `remove`; every index is checked.
/// Memory of its own rather than an array, since a worker looks sockets up several times a request:
/// neither the table nor what it finds is counted for that.
@safe
final class SocketTable {
  private var sockets: UnsafeMutablePointer<Unmanaged<Socket>?>
  private var capacity: Int
  private(set) var count = 0

  init() {
    capacity = 64
    unsafe sockets = .allocate(capacity: capacity)
    unsafe sockets.initialize(repeating: nil, count: capacity)
  }

  deinit {
    for index in 0..<capacity { unsafe sockets[index]?.release() }
    unsafe sockets.deallocate()
  }

  /// Notes what a socket has become ready for.
  func note(_ news: Readiness, of handle: Int32) {
    guard let socket = unsafe reference(handle) else { return }
    // In the table, and so alive; noting news removes nothing from it.
    unsafe socket._withUnsafeGuaranteedRef { $0.becomeReady(news) }
  }

  /// Tells a socket's watcher, if there is something that it wants to know.
  func tellWatcher(of handle: Int32) {
    guard let socket = unsafe reference(handle) else { return }
    // A watcher, or what it works on, holds the socket, and is itself held while it is told: both
    // live until the call returns, also where it closes the socket.
    unsafe socket._withUnsafeGuaranteedRef { $0.tellWatcher() }
  }

  @unsafe
  private func reference(_ handle: Int32) -> Unmanaged<Socket>? {
    // Within the memory, which is initialised as a whole.
    unsafe handle >= 0 && Int(handle) < capacity ? sockets[Int(handle)] : nil
  }

  func insert(_ socket: Socket) {
    let index = Int(socket.handle)
    if index >= capacity { grow(toHold: index) }
    // index < capacity.
    unsafe precondition(sockets[index] == nil, "a handle is in use twice")
    unsafe sockets[index] = Unmanaged.passRetained(socket)
    count += 1
  }

  func remove(_ socket: Socket) {
    let index = Int(socket.handle)
    precondition(index < capacity)
    // index < capacity.
    unsafe sockets[index]?.release()
    unsafe sockets[index] = nil
    count -= 1
  }

  private func grow(toHold index: Int) {
    let grown = max(index + 1, capacity * 2)
    let memory = UnsafeMutablePointer<Unmanaged<Socket>?>.allocate(capacity: grown)
    // The old memory is moved whole; the rest is initialised behind it.
    unsafe memory.moveInitialize(from: sockets, count: capacity)
    unsafe (memory + capacity).initialize(repeating: nil, count: grown - capacity)
    unsafe sockets.deallocate()
    unsafe sockets = memory
    capacity = grown
  }
}
