import Runtime
import Synchronization

/// A network without anybody on it, and a clock that jumps from one deadline to the next.
final class VirtualSeam: Seam {
  enum Peers { case refuse, neverAnswer }

  private let peers: Peers
  private var time = MonotonicTime(nanoseconds: 1_000_000_000)
  private let isWoken = Mutex(false)
  private var nextHandle: Int32 = 0
  private(set) var openHandles: Set<Int32> = []
  private(set) var openMax = 0
  /// When connections were tried.
  private(set) var attempts: [MonotonicTime] = []

  init(peers: Peers) { self.peers = peers }

  override func now() -> MonotonicTime { time }
  override func randomSeed() -> UInt64 { 42 }
  override func wake() { isWoken.withLock { $0 = true } }

  override func poll(until deadline: MonotonicTime, into events: inout [ReadyEvent]) {
    let woken = isWoken.withLock { woken in
      defer { woken = false }
      return woken
    }
    if woken {
      events.append(ReadyEvent(handle: Seam.wakeHandle, readiness: .readable))
    } else if deadline != .never {
      time = max(time, deadline)
    }
  }

  override func connect(to address: SocketAddress, windowBytes: Int? = nil) throws(SystemError) -> Int32 {
    attempts.append(time)
    if peers == .refuse { throw .connectionRefused }
    nextHandle += 1
    openHandles.insert(nextHandle)
    openMax = max(openMax, openHandles.count)
    return nextHandle
  }

  override func close(_ handle: Int32, reset: Bool) { openHandles.remove(handle) }
}
