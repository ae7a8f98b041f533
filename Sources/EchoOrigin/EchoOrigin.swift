import HTTPCodec
import Runtime

/// A small origin server that answers what it received, as JSON: for trying a gateway out.
///
/// The query of a request may ask for more: `status=503`, `delay=200` (milliseconds), `bytes=1000`
/// (that much content instead of the JSON).
public final class EchoOrigin: Watcher {
  /// What the answers call the server, so that one sees which endpoint was chosen.
  let name: String
  public let address: SocketAddress
  private let socket: Socket

  /// Listens on the worker's thread. Port 0 takes a free one; see ``address``.
  public init(name: String, address: SocketAddress, on worker: Worker) throws(SystemError) {
    if address.port != 0, let problem = AddressProbe.problem(with: address) { throw problem }
    self.name = name
    socket = try Socket.listen(on: address, backlog: 1_024, worker: worker)
    self.address = worker.seam.localAddress(of: socket.handle) ?? address
    super.init(on: worker)
    socket.watcher = self
    socket.interest = .readable
  }

  /// Stops listening; connections go on until their clients leave.
  public func close() {
    socket.close()
  }

  public override func socketIsReady(_ transport: Transport) {
    socket.forgetReadiness()
    while true {
      var peer = SocketAddress.any
      let result = worker.seam.accept(from: socket.handle, peer: &peer)
      guard result.bytes >= 0, !result.isError, !result.isWouldBlock else { return }
      let connection = EchoConnection(Int32(result.bytes), peer: peer, origin: self)
      worker.spawn { await connection.serve() }
    }
  }
}

/// One client of the echo origin.
private final class EchoConnection: Waiter {
  /// Content that is echoed; of longer content only the size is told.
  static let echoedBytesMax = 65_536
  static let idleNanoseconds: Int64 = 120_000_000_000

  private let origin: EchoOrigin
  private let socket: Socket
  private let peer: SocketAddress
  private let input: Buffer
  private let output: Buffer
  private var parser = RequestParser()
  private var head = RequestHead()
  private var content: [UInt8] = []
  private var contentBytes: UInt64 = 0

  init(_ handle: Int32, peer: SocketAddress, origin: EchoOrigin) {
    self.origin = origin
    self.peer = peer
    socket = Socket(accepted: handle, on: origin.worker)
    // Without news the connection waits for the client to give up.
    _ = socket.beginWatching()
    input = origin.worker.buffers.take()
    output = origin.worker.buffers.take()
    super.init(on: origin.worker)
    socket.watcher = self
  }

  func serve() async {
    while await readHead(), await answer(), head.isPersistent {}
    cancelDeadline()
    socket.close()
    worker.buffers.give(input)
    worker.buffers.give(output)
  }

  // MARK: Reading

  private func receive() async -> Bool {
    while true {
      let result = socket.receive(into: input)
      if result.bytes > 0 { return true }
      guard result.isWouldBlock else { return false }
      let deadline = worker.now.advanced(byNanoseconds: Self.idleNanoseconds)
      guard await wait(for: socket, [.readable, .peerClosed], until: deadline) == .ready else { return false }
    }
  }

  private func readHead() async -> Bool {
    parser.reset()
    let input = input
    while true {
      do {
        if !input.isEmpty, try parser.parse(input.bytes, into: &head) { return true }
      } catch {
        output.append("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        _ = await flush()
        return false
      }
      guard await receive() else { return false }
    }
  }

  /// Reads the content behind the head and keeps the begin of it. The head stays where it is.
  private func readContent() async -> Bool {
    content.removeAll(keepingCapacity: true)
    contentBytes = 0
    if head.expectsContinue {
      output.append("HTTP/1.1 100 Continue\r\n\r\n")
      guard await flush() else { return false }
    }
    let start = head.byteCount
    switch head.framing {
    case .none, .untilClose, .untilEndOfStream: return true
    case .length(let length):
      while contentBytes < length {
        if input.count == start, await !receive() { return false }
        let count = Int(min(UInt64(input.count - start), length - contentBytes))
        take(start..<start + count)
        input.removeBytes(start..<start + count)
      }
      return true
    case .chunked: return await readChunks(from: start)
    }
  }

  private func readChunks(from start: Int) async -> Bool {
    var decoder = ChunkedDecoder()
    let input = input
    var position = start
    while true {
      do {
        switch try decoder.next(input.bytes, from: position) {
        case .data(let range):
          take(range.range)
          position = range.end
        case .needMore(let consumed):
          input.removeBytes(start..<consumed)
          position = start
          guard await receive() else { return false }
        case .end(_, let consumed):
          input.removeBytes(start..<consumed)
          return true
        }
      } catch {
        return false
      }
    }
  }

  private func take(_ range: Range<Int>) {
    contentBytes += UInt64(range.count)
    let kept = min(range.count, Self.echoedBytesMax - content.count)
    guard kept > 0 else { return }
    let input = input
    let bytes = input.bytes
    for index in range.lowerBound..<range.lowerBound + kept { content.append(bytes[index]) }
  }

  // MARK: Answering

  private func answer() async -> Bool {
    guard await readContent() else { return false }
    if let delay = parameter("delay"), delay > 0 {
      await sleep(until: worker.now.advanced(byNanoseconds: Int64(min(delay, 600_000)) * 1_000_000))
    }
    let status = parameter("status").flatMap { (200...599).contains($0) ? $0 : nil } ?? 200
    let hasContent = status != 204 && status != 304
    let size = parameter("bytes").map { min($0, 1 << 40) }
    let body = size == nil ? Array(description.utf8) : []
    output.append(string: "HTTP/1.1 \(status) \(status == 200 ? "OK" : "Asked For")\r\n")
    output.append(
      string: "Content-Type: \(size == nil ? "application/json" : "application/octet-stream")\r\n")
    if hasContent { output.append(string: "Content-Length: \(size ?? UInt64(body.count))\r\n") }
    output.append(
      head.isPersistent
        ? (head.version == .http10 ? "Connection: keep-alive\r\n\r\n" : "\r\n") : "Connection: close\r\n\r\n")
    if hasContent && head.method != .head {
      output.append(body)
      if let size, await !send(filler: size) { return false }
    }
    input.consume(head.byteCount)
    return await flush()
  }

  private func send(filler size: UInt64) async -> Bool {
    var rest = size
    while rest > 0 {
      for _ in 0..<min(rest, 16_384) { output.append(UInt8(ascii: "x")) }
      rest -= min(rest, 16_384)
      guard await flush() else { return false }
    }
    return true
  }

  private func flush() async -> Bool {
    while !output.isEmpty {
      let result = socket.send(output)
      if result.isError { return false }
      if result.isWouldBlock {
        let deadline = worker.now.advanced(byNanoseconds: Self.idleNanoseconds)
        guard await wait(for: socket, .writable, until: deadline) == .ready else { return false }
      } else {
        output.consume(result.bytes)
      }
    }
    return true
  }

  private func parameter(_ name: String) -> UInt64? {
    guard head.hasQuery else { return nil }
    let input = input
    guard let value = input.bytes.queryValue(named: Array(name.utf8), in: head.query) else { return nil }
    return input.bytes.decimal(in: value)
  }

  // MARK: The description

  /// What was received, as JSON.
  private var description: String {
    var lines: [String] = []
    lines.append("\"origin\": \(quoted(origin.name))")
    lines.append("\"client\": \(quoted(peer.description))")
    lines.append("\"method\": \(quoted(head.methodRange))")
    lines.append("\"target\": \(quoted(head.target))")
    lines.append("\"version\": \"\(head.version == .http11 ? "HTTP/1.1" : "HTTP/1.0")\"")
    let fields = head.fields.map { "    [\(quoted($0.name)), \(quoted($0.value))]" }
    lines.append("\"headers\": [\n\(fields.joined(separator: ",\n"))\n  ]")
    lines.append("\"bodyBytes\": \(contentBytes)")
    if contentBytes > 0 && contentBytes <= UInt64(Self.echoedBytesMax) {
      lines.append("\"body\": \(quoted(String(decoding: content, as: UTF8.self)))")
    }
    return "{\n  " + lines.joined(separator: ",\n  ") + "\n}\n"
  }

  private func quoted(_ range: ByteRange) -> String {
    var text: [UInt8] = []
    let input = input
    let bytes = input.bytes
    for index in range.range { text.append(bytes[index]) }
    return quoted(String(decoding: text, as: UTF8.self))
  }

  /// A JSON string (RFC 8259 §7).
  private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
