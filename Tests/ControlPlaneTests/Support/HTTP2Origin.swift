import DataPlane
import Glibc
import HTTPCodec
import Runtime
import Synchronization
import Testing

/// A small server of HTTP/2 without TLS, on a thread of its own, whose answers a test can change.
final class HTTP2Origin: Sendable {
  struct Answer: Sendable {
    var status: UInt16 = 200
    var fields: [(name: String, value: String)] = []
    var content: [UInt8] = []
    /// `nil`: the response ends with its content.
    var trailers: [(name: String, value: String)]?

    /// A unary call's response: a message of gRPC, and its status.
    static func grpc(_ message: [UInt8], status: Int = 0) -> Answer {
      Answer(
        fields: [("content-type", "application/grpc")],
        content: [0, 0, 0, 0, UInt8(message.count)] + message,
        trailers: [("grpc-status", "\(status)")])
    }
  }

  struct Request: Sendable {
    /// As lines: `:path: /\r\n`.
    var fields = ""
    var content: [UInt8] = []
  }

  let port: UInt16
  private let listener: Int32
  private let answer: Mutex<Answer>
  private let isStopped = Atomic<Bool>(false)
  let requests = Collected<Request>()

  init(answer: Answer = Answer()) throws {
    port = try freeLocalPort()
    self.answer = Mutex(answer)
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var one: Int32 = 1
    var address = localAddress(port: port)
    // The variables outlive the calls, and have the sizes given.
    unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(status == 0 && listen(listener, 16) == 0)
    var thread = pthread_t()
    // The retained pointer is taken over by the thread.
    let started = unsafe pthread_create(
      &thread, nil,
      { argument in
        unsafe Unmanaged<HTTP2Origin>.fromOpaque(argument!).takeRetainedValue().serve()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    try #require(started == 0)
    pthread_detach(thread)
  }

  func set(answer new: Answer) { answer.withLock { $0 = new } }

  func stop() {
    guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func serve() {
    while !isStopped.load(ordering: .acquiring) {
      let handle = accept(listener, nil, nil)
      guard handle >= 0 else { return }
      HTTP2OriginConnection(handle, self).run()
      close(handle)
    }
  }

  fileprivate func respond(_ request: Request) -> Answer {
    requests.append(request)
    return answer.withLock { $0 }
  }
}

/// One connection, served until the client ends it.
private final class HTTP2OriginConnection {
  private let handle: Int32
  private let origin: HTTP2Origin
  private var engine = HTTP2Engine(role: .server, settings: HTTP2LocalSettings())
  private var request = HTTP2Origin.Request()

  init(_ handle: Int32, _ origin: HTTP2Origin) {
    self.handle = handle
    self.origin = origin
  }

  func run() {
    let input = Buffer(capacity: 65_536)
    let output = Buffer(capacity: 65_536)
    engine.begin(into: output)
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      // The buffer's bytes outlive the call.
      _ = unsafe output.withBytes { unsafe send(handle, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
      output.removeAll()
      // At most the array's length is written into it.
      let count = unsafe recv(handle, &chunk, chunk.count, 0)
      guard count > 0 else { return }
      input.append(Array(chunk[..<count]))
      guard let consumed = try? take(input.bytes, output) else { return }
      input.consume(consumed)
    }
  }

  private func take(_ bytes: Span<UInt8>, _ output: Buffer) throws(HTTP2ConnectionError) -> Int {
    var position = 0
    while true {
      switch try engine.next(bytes, position: &position, now: 0, into: output) {
      case .needMore: return position
      case .headers(let block):
        let fields = Buffer(capacity: 4_096)
        var head = RequestHead()
        try? engine.decodeRequest(block, of: bytes, into: fields, head: &head, limits: HTTP2HeadLimits())
        request = HTTP2Origin.Request(fields: String(decoding: fields.copy(0..<fields.count), as: UTF8.self))
        if block.endsStream { answer(block.slot, output) }
      case .content(let slot, let range, let endsStream):
        for index in range.range { request.content.append(bytes[index]) }
        engine.release(Int(range.count), slot: slot, into: output)
        if endsStream { answer(slot, output) }
      default: break
      }
    }
  }

  private func answer(_ slot: Int, _ output: Buffer) {
    let answer = origin.respond(request)
    engine.encoder.begin()
    engine.encoder.encode(status: answer.status)
    encode(answer.fields)
    let isBare = answer.content.isEmpty && answer.trailers == nil
    engine.sendHeaders(slot: slot, endStream: isBare, into: output)
    if !answer.content.isEmpty {
      engine.appendDataHeader(
        slot: slot, count: answer.content.count, endStream: answer.trailers == nil, into: output)
      output.append(answer.content)
    }
    if let trailers = answer.trailers {
      engine.encoder.begin()
      encode(trailers)
      engine.sendHeaders(slot: slot, endStream: true, into: output)
    }
    engine.free(slot: slot, into: output)
  }

  private func encode(_ fields: [(name: String, value: String)]) {
    for (name, value) in fields {
      engine.encoder.encode(HPACKName(name), value: Array(value.utf8).span)
    }
  }
}
