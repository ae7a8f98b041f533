import Glibc
import Runtime

/// Connections in memory, of which a test says how much they take at a time.
final class MemorySeam: Seam {
  private struct End {
    let peer: Int32
    var unread: [UInt8] = []
    var hasFinished = false
    var isReset = false
    var isOpen = true
    /// A send was short: to be told when there is room.
    var wantsRoom = false
    var news: Readiness = []
  }

  private var ends: [Int32: End] = [:]
  private var lastHandle: Int32 = 10
  var time = MonotonicTime(nanoseconds: 5_000_000_000)
  /// Bytes that one direction holds at most.
  var capacity = 1 << 20
  /// Bytes that one call moves at most.
  var bytesPerCall = Int.max
  /// Changes what is sent from a handle, before it arrives.
  var tamper: ((Int32, inout [UInt8]) -> Void)?
  private(set) var sendCount = 0
  private(set) var receiveCount = 0

  func makePair() -> (Int32, Int32) {
    let a = lastHandle + 1
    let b = lastHandle + 2
    lastHandle = b
    ends[a] = End(peer: b)
    ends[b] = End(peer: a)
    return (a, b)
  }

  func resetCounts() {
    sendCount = 0
    receiveCount = 0
  }

  func unreadCount(at handle: Int32) -> Int { ends[handle]?.unread.count ?? 0 }

  /// Puts bytes on the wire as if the peer of `handle` had sent them.
  func inject(_ bytes: [UInt8], to handle: Int32) {
    ends[handle]?.unread += bytes
    ends[handle]?.news.insert(.readable)
  }

  // MARK: Seam

  override func now() -> MonotonicTime { time }
  override func wallClockNanoseconds() -> Int64 { time.nanoseconds }
  override func randomSeed() -> UInt64 { 1 }
  override func wake() {}

  override func poll(until deadline: MonotonicTime, into events: inout [ReadyEvent]) {
    for (handle, end) in ends where !end.news.isEmpty && end.isOpen {
      events.append(ReadyEvent(handle: handle, readiness: end.news))
      ends[handle]?.news = []
    }
  }

  override func receive(_ handle: Int32, into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
    receiveCount += 1
    guard let end = ends[handle] else { return .failed(SystemError(EBADF)) }
    if end.isReset { return .failed(.connectionReset) }
    if end.unread.isEmpty { return end.hasFinished ? IOResult(code: 0) : .wouldBlock }
    let count = min(end.unread.count, buffer.count, bytesPerCall)
    // The count is within both.
    unsafe buffer.copyBytes(from: end.unread[0..<count])
    ends[handle]?.unread.removeFirst(count)
    // Bytes that a bounded call left are news again, as they would be on a slow network.
    if count < buffer.count && end.unread.count > count { ends[handle]?.news.insert(.readable) }
    if ends[end.peer]?.wantsRoom == true {
      ends[end.peer]?.wantsRoom = false
      ends[end.peer]?.news.insert(.writable)
    }
    return IOResult(code: count)
  }

  override func send(_ handle: Int32, _ bytes: UnsafeRawBufferPointer) -> IOResult {
    sendCount += 1
    guard let end = ends[handle], let peer = ends[end.peer] else { return .failed(SystemError(EBADF)) }
    if end.isReset { return .failed(.connectionReset) }
    if !peer.isOpen { return .failed(SystemError(EPIPE)) }
    let count = min(bytes.count, max(0, capacity - peer.unread.count), bytesPerCall)
    if count < bytes.count {
      ends[handle]?.wantsRoom = true
      // Stopped by the bound on a call rather than by a full buffer: nothing else would resume it.
      if count == bytesPerCall { ends[handle]?.news.insert(.writable) }
    }
    if count == 0 { return .wouldBlock }
    // The count is within the bytes.
    var moved = unsafe Array(bytes[0..<count])
    tamper?(handle, &moved)
    inject(moved, to: end.peer)
    return IOResult(code: count)
  }

  override func send(_ handle: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer)
    -> IOResult
  {
    // Copied for the call.
    let joined = unsafe Array(first) + Array(second)
    return unsafe joined.withUnsafeBytes { unsafe send(handle, $0) }
  }

  override func isQuiet(_ handle: Int32) -> Bool {
    guard let end = ends[handle] else { return false }
    return end.unread.isEmpty && !end.hasFinished && !end.isReset
  }

  override func shutdownSending(_ handle: Int32) {
    guard let peer = ends[handle]?.peer else { return }
    ends[peer]?.hasFinished = true
    ends[peer]?.news.formUnion([.readable, .peerClosed])
  }

  override func close(_ handle: Int32, reset: Bool) {
    guard let peer = ends[handle]?.peer else { return }
    ends[handle]?.isOpen = false
    if reset {
      ends[peer]?.isReset = true
      ends[peer]?.news.formUnion([.readable, .writable, .peerClosed])
    } else {
      shutdownSending(handle)
    }
  }
}
