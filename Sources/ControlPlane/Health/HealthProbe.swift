import HTTPCodec
import Resources
import Runtime

/// Suspends a check, and ends it early.
final class ProbeWaiter: Waiter {
  private(set) var isCancelled = false

  /// Makes the check end inconclusively, also when it is not suspended now.
  func cancel() {
    isCancelled = true
    wake()
  }
}

/// One check of one endpoint, over a connection of its own.
struct HealthProbe {
  enum Outcome: Equatable {
    case success
    /// Why, for the log: `connection refused`, `HTTP 503`.
    case failure(String)
    /// This process could not make the check; it says nothing about the endpoint.
    case inconclusive(String)
  }

  let check: HealthCheck
  /// Of the endpoint, as traffic reaches it.
  let address: SocketAddress
  /// As in the configuration: `orders.internal:8080`.
  let name: String
  let userAgent: String

  /// Runs on the waiter's worker.
  func run(_ waiter: ProbeWaiter) async -> Outcome {
    let worker = waiter.worker
    let deadline = worker.now.advanced(byNanoseconds: check.timeout.inNanoseconds)
    var target = address
    if let port = check.port { target.port = port }
    let socket: Socket
    do throws(SystemError) {
      socket = try Socket.connect(to: target, on: worker)
    } catch {
      return error.isShortage ? .inconclusive(error.description) : .failure(error.description)
    }
    socket.watcher = waiter
    // Not by a reset: servers log those.
    defer { socket.close() }
    if let failure = await self.wait(socket, .writable, waiter, deadline) { return failure }
    if let error = socket.connectError() { return .failure(error.description) }
    guard case .http(let path, let host, let statuses) = check.probe else { return .success }

    let buffer = worker.buffers.take()
    defer { worker.buffers.give(buffer) }
    appendRequest(path: path, host: host ?? name, to: buffer)
    if let failure = await send(buffer, socket, waiter, deadline) { return failure }
    return await receive(buffer, socket, waiter, deadline, statuses)
  }

  /// `nil` when the socket is ready.
  private func wait(
    _ socket: Socket, _ interest: Readiness, _ waiter: ProbeWaiter, _ deadline: MonotonicTime
  ) async -> Outcome? {
    let wake = waiter.isCancelled ? .interrupted : await waiter.wait(for: socket, interest, until: deadline)
    return switch wake {
    case .ready: nil
    case .deadline: .failure("no answer within \(check.timeout)")
    case .interrupted: .inconclusive("the check was cancelled")
    }
  }

  private func appendRequest(path: String, host: String, to buffer: Buffer) {
    buffer.append("GET ")
    buffer.append(string: path)
    buffer.append(" HTTP/1.1\r\nHost: ")
    buffer.append(string: host)
    buffer.append("\r\nUser-Agent: ")
    buffer.append(string: userAgent)
    buffer.append("\r\nAccept: */*\r\nConnection: close\r\n\r\n")
  }

  private func send(
    _ buffer: Buffer, _ socket: Socket, _ waiter: ProbeWaiter, _ deadline: MonotonicTime
  ) async -> Outcome? {
    while true {
      let sent = socket.send(buffer)
      if sent.isError { return .failure(sent.error.description) }
      if sent.bytes > 0 { buffer.consume(sent.bytes) }
      if buffer.isEmpty { return nil }
      if let failure = await wait(socket, .writable, waiter, deadline) { return failure }
    }
  }

  private func receive(
    _ buffer: Buffer, _ socket: Socket, _ waiter: ProbeWaiter, _ deadline: MonotonicTime,
    _ statuses: [ClosedRange<Int>]
  ) async -> Outcome {
    var parser = ResponseParser()
    var head = ResponseHead()
    while true {
      if let failure = await wait(socket, .readable, waiter, deadline) { return failure }
      let received = socket.receive(into: buffer)
      if received.isWouldBlock { continue }
      if received.isError { return .failure(received.error.description) }
      if received.bytes == 0 { return .failure("the connection was closed before an answer") }
      do throws(HTTP1Error) {
        while try parser.parse(buffer.bytes, requestMethod: .get, into: &head) {
          guard (100..<200).contains(head.status), head.status != 101 else {
            return Self.judge(Int(head.status), statuses)
          }
          // An interim response: the one that counts follows (RFC 9110 §15.2).
          buffer.consume(head.byteCount)
        }
      } catch {
        return .failure(error.description)
      }
    }
  }

  private static func judge(_ status: Int, _ statuses: [ClosedRange<Int>]) -> Outcome {
    let isExpected =
      statuses.isEmpty ? (200...399).contains(status) : statuses.contains { $0.contains(status) }
    return isExpected ? .success : .failure("HTTP \(status)")
  }
}
