import DataPlane
import Runtime
import TLS

/// Suspends a check, and ends it early.
final class ProbeWaiter: Waiter {
  private(set) var isCancelled = false

  /// Makes the check end inconclusively, also when it is not suspended now.
  func cancel() {
    isCancelled = true
    wake()
  }
}

/// The connection of one check. Whatever takes longer than the check may is its failure.
struct ProbeConnection {
  let socket: Socket
  let waiter: ProbeWaiter
  let deadline: MonotonicTime
  /// What the deadline was made of, for the log.
  let timeout: Duration

  var worker: Worker { waiter.worker }

  /// `nil` when the socket is ready.
  func wait(_ interest: Readiness) async -> HealthProbe.Outcome? {
    let wake = waiter.isCancelled ? .interrupted : await waiter.wait(for: socket, interest, until: deadline)
    return switch wake {
    case .ready: nil
    case .deadline: .failure("no answer within \(timeout)")
    case .interrupted: .inconclusive("the check was cancelled")
    }
  }

  /// `nil` when the connection is there.
  func finishConnecting() async -> HealthProbe.Outcome? {
    if let failure = await wait(.writable) { return failure }
    return socket.connectError().map { .failure($0.description) }
  }

  /// `nil` when the handshake is done.
  func shakeHands(_ socket: TLSSocket) async -> HealthProbe.Outcome? {
    while true {
      let interest: Readiness
      switch socket.handshake() {
      case .done: return nil
      case .failed(let failure): return .failure("TLS: \(failure.description)")
      case .wantsRead: interest = [.readable, .peerClosed]
      case .wantsWrite: interest = [.readable, .writable, .peerClosed]
      }
      if let failure = await wait(interest) { return failure }
    }
  }

  /// Sends all that the buffer holds; `nil` when that is done.
  func send(_ buffer: Buffer) async -> HealthProbe.Outcome? {
    while !buffer.isEmpty {
      let sent = socket.send(buffer)
      if sent.isError { return .failure(sent.error.description) }
      if sent.bytes > 0 { buffer.consume(sent.bytes) }
      if buffer.isEmpty { return nil }
      if let failure = await wait(.writable) { return failure }
    }
    return nil
  }

  /// Receives something behind the buffer's bytes; `nil` when that is done.
  func receive(into buffer: Buffer) async -> HealthProbe.Outcome? {
    while true {
      if let failure = await wait([.readable, .peerClosed]) { return failure }
      let received = socket.receive(into: buffer)
      if received.isWouldBlock { continue }
      if received.isError { return .failure(received.error.description) }
      if received.bytes == 0 { return .failure("the connection was closed before an answer") }
      return nil
    }
  }
}
