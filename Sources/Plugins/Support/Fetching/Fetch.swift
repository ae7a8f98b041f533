import HTTPCodec
import Runtime
import Synchronization
import TLS

/// One GET, over a connection of its own. On the thread that plugins fetch on.
///
/// Bounded in time and size, and no redirect is followed: who answers is who was asked.
struct Fetch {
  let address: FetchAddress
  let bytesMax: Int
  let deadline: MonotonicTime
  let waiter: Waiter

  private var worker: Worker { waiter.worker }
  private static let headBytesMax = 65_536

  /// The content of an answer with the status 200.
  func run(_ addresses: [SocketAddress], _ context: TLSClientContext?) async throws(FileProblem) -> [UInt8] {
    var last = FileProblem("no address is known for \(address.host)")
    for target in addresses {
      do throws(FileProblem) {
        return try await get(from: target, context)
      } catch {
        last = error
        if worker.now >= deadline { break }
      }
    }
    throw last
  }

  private func get(from target: SocketAddress, _ context: TLSClientContext?) async throws(FileProblem)
    -> [UInt8]
  {
    let socket: Socket
    do throws(SystemError) {
      socket =
        context == nil
        ? try Socket(connectingTo: target, on: worker) : try TLSSocket(connectingTo: target, on: worker)
    } catch {
      throw FileProblem(error.description)
    }
    socket.watcher = waiter
    defer { socket.close() }
    try await wait(for: socket, .writable)
    if let error = socket.connectError() { throw FileProblem(error.description) }
    if let context, let socket = socket as? TLSSocket {
      socket.startClient(context, serverName: address.host, endpoint: target)
      try await shakeHands(socket)
    }
    let buffer = worker.buffers.take()
    defer { worker.buffers.give(buffer) }
    appendRequest(to: buffer)
    try await send(buffer, on: socket)
    return try await receive(into: buffer, from: socket)
  }

  private func wait(for socket: Socket, _ interest: Readiness) async throws(FileProblem) {
    while true {
      switch await waiter.wait(for: socket, interest, until: deadline) {
      case .ready: return
      case .deadline: throw FileProblem("it did not answer in time")
      // Another one is wished for: this is it.
      case .interrupted: continue
      }
    }
  }

  private func shakeHands(_ socket: TLSSocket) async throws(FileProblem) {
    while true {
      switch socket.handshake() {
      case .done: return
      case .failed(let failure): throw FileProblem("TLS: \(failure.description)")
      case .wantsRead: try await wait(for: socket, [.readable, .peerClosed])
      case .wantsWrite: try await wait(for: socket, [.readable, .writable, .peerClosed])
      }
    }
  }

  private func appendRequest(to buffer: Buffer) {
    buffer.append("GET ")
    buffer.append(string: address.target)
    buffer.append(" HTTP/1.1\r\nHost: ")
    buffer.append(string: address.authority)
    buffer.append("\r\nUser-Agent: penstock\r\nAccept: application/jwk-set+json, application/json\r\n")
    buffer.append("Connection: close\r\n\r\n")
  }

  private func send(_ buffer: Buffer, on socket: Socket) async throws(FileProblem) {
    while !buffer.isEmpty {
      let sent = socket.send(buffer)
      if sent.isError { throw FileProblem(sent.error.description) }
      if sent.bytes > 0 { buffer.consume(sent.bytes) }
      if !buffer.isEmpty { try await wait(for: socket, .writable) }
    }
  }

  /// - Returns: false at the end of what the server sends.
  private func receiveMore(into buffer: Buffer, from socket: Socket) async throws(FileProblem) -> Bool {
    while true {
      let received = socket.receive(into: buffer)
      if received.isWouldBlock {
        try await wait(for: socket, [.readable, .peerClosed])
        continue
      }
      if received.isError { throw FileProblem(received.error.description) }
      return received.bytes > 0
    }
  }

  private func receive(into buffer: Buffer, from socket: Socket) async throws(FileProblem) -> [UInt8] {
    var parser = ResponseParser()
    var head = ResponseHead()
    while true {
      guard try await receiveMore(into: buffer, from: socket) else {
        throw FileProblem("the connection was closed before an answer")
      }
      guard try readHead(&parser, &head, buffer) else { continue }
      guard head.status == 200 else { throw FileProblem("it answered with the status \(head.status)") }
      return try await receiveContent(head.framing, buffer, socket)
    }
  }

  /// - Returns: whether a final head was read; it is then taken out of the buffer.
  private func readHead(
    _ parser: inout ResponseParser, _ head: inout ResponseHead, _ buffer: Buffer
  ) throws(FileProblem) -> Bool {
    do throws(HTTP1Error) {
      while try parser.parse(buffer.bytes, requestMethod: .get, into: &head) {
        buffer.consume(head.byteCount)
        if head.status >= 200 || head.status == 101 { return true }
        // An interim response: the one that counts follows (RFC 9110 §15.2).
        parser.reset()
      }
      return false
    } catch {
      throw FileProblem(error.description)
    }
  }

  private func receiveContent(
    _ framing: BodyFraming, _ buffer: Buffer, _ socket: Socket
  ) async throws(FileProblem) -> [UInt8] {
    var decoder = ChunkedDecoder()
    let content = Buffer(capacity: 4_096)
    while true {
      if framing == .chunked {
        if try take(&decoder, from: buffer, into: content) { return content.copy(0..<content.count) }
      } else {
        content.append(buffer, range: 0..<buffer.count)
        buffer.removeAll()
      }
      if content.count > bytesMax || buffer.count > bytesMax { throw tooLarge }
      if case .length(let length) = framing {
        if length > UInt64(bytesMax) { throw tooLarge }
        if UInt64(content.count) >= length { return content.copy(0..<Int(length)) }
      }
      if framing == .none { return [] }
      if try await receiveMore(into: buffer, from: socket) { continue }
      guard framing == .untilClose else { throw FileProblem("the connection was closed within the answer") }
      return content.copy(0..<content.count)
    }
  }

  private var tooLarge: FileProblem { FileProblem("its answer has more than \(bytesMax) bytes") }

  /// - Returns: whether the last chunk has come.
  private func take(
    _ decoder: inout ChunkedDecoder, from buffer: Buffer, into content: Buffer
  ) throws(FileProblem) -> Bool {
    var position = 0
    do throws(HTTP1Error) {
      while true {
        switch try decoder.next(buffer.bytes, from: position) {
        case .data(let range):
          content.append(buffer, range: range.range)
          position = range.end
        case .needMore(let consumed):
          buffer.consume(consumed)
          return false
        case .end: return true
        }
      }
    } catch {
      throw FileProblem(error.description)
    }
  }
}
