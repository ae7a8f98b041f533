import DataPlane
import HTTPCodec
import Runtime

/// One request over HTTP/2: a GET whose status decides, or a call of gRPC's health protocol.
///
/// Belongs to one check, and is used on its worker's thread.
final class HTTP2Probe {
  struct Request {
    var path: String
    var authority: String
    var userAgent: String
    var isHTTPS: Bool
    /// With a message it is a POST of gRPC's.
    var grpcMessage: [UInt8]?
    var grpcTimeout = ""
  }

  enum Expectation {
    /// One of these statuses; none: success and redirection.
    case http([ClosedRange<Int>])
    case grpc
  }

  private let connection: ProbeConnection
  private let request: Request
  private let expectation: Expectation
  private var engine: HTTP2Engine
  private var slot = 0
  private let output: Buffer
  /// Where fields are decoded to.
  private let fields: Buffer
  // The response.
  private var head = ResponseHead()
  private var trailers: [Field] = []
  private var content: [UInt8] = []
  private var grpcStatus: Int?
  private var outcome: HealthProbe.Outcome?

  init(_ connection: ProbeConnection, _ request: Request, _ expectation: Expectation) {
    self.connection = connection
    self.request = request
    self.expectation = expectation
    engine = HTTP2Engine(
      role: .client, settings: HTTP2LocalSettings(headerTableBytes: 0, streamWindowBytes: 65_535))
    output = connection.worker.buffers.take()
    fields = connection.worker.buffers.take()
  }

  func run() async -> HealthProbe.Outcome {
    let worker = connection.worker
    let input = worker.buffers.take()
    defer { for buffer in [input, output, fields] { worker.buffers.give(buffer) } }
    begin()
    while true {
      if let failure = await connection.send(output) { return failure }
      if let failure = await connection.receive(into: input) { return failure }
      do throws(HTTP2ConnectionError) {
        input.consume(try takeFrames(input.bytes))
      } catch {
        return .failure("HTTP/2: \(error.description)")
      }
      if let outcome {
        await sayGoodbye()
        return outcome
      }
    }
  }

  /// Servers log connections that end without a word.
  private func sayGoodbye() async {
    engine.goAway(.noError, into: output)
    _ = await connection.send(output)
  }

  // MARK: The request

  private static let userAgent = HPACKName("user-agent")
  private static let accept = HPACKName("accept")
  private static let grpcTimeout = HPACKName("grpc-timeout")

  private func begin() {
    engine.begin(into: output)
    guard let slot = engine.openStream() else {
      outcome = .failure("HTTP/2: no stream can be opened")
      return
    }
    self.slot = slot
    let isCall = request.grpcMessage != nil
    let nothing: [UInt8] = []
    engine.encoder.begin()
    engine.encoder.encode(method: isCall ? .post : .get, .empty, in: nothing.span)
    engine.encoder.encode(schemeIsHTTPS: request.isHTTPS)
    engine.encoder.encode(path: Array(request.path.utf8).span)
    engine.encoder.encode(authority: Array(request.authority.utf8).span)
    if isCall {
      encode(.contentType, "application/grpc")
      encode(.te, "trailers")
      encode(Self.grpcTimeout, request.grpcTimeout)
    } else {
      encode(Self.accept, "*/*")
    }
    encode(Self.userAgent, request.userAgent)
    engine.sendHeaders(slot: slot, endStream: !isCall, into: output)
    guard let message = request.grpcMessage else { return }
    // Far below the windows that every connection begins with (RFC 9113 §6.9.2).
    engine.appendDataHeader(slot: slot, count: message.count, endStream: true, into: output)
    output.append(message)
  }

  private func encode(_ name: HPACKName, _ value: String) {
    engine.encoder.encode(name, value: Array(value.utf8).span, indexing: .literal)
  }

  // MARK: The response

  /// Takes apart what was received.
  /// - Returns: how much of it is done with.
  private func takeFrames(_ bytes: Span<UInt8>) throws(HTTP2ConnectionError) -> Int {
    var position = 0
    let now = connection.worker.now.nanoseconds
    while outcome == nil {
      switch try engine.next(bytes, position: &position, now: now, into: output) {
      case .needMore: return position
      case .headers(let block): try take(block, bytes)
      case .content(let slot, let range, let endsStream):
        take(bytes.extracting(range.range))
        engine.release(Int(range.count), slot: slot, into: output)
        if endsStream { end() }
      case .streamReset(_, let code): outcome = .failure("HTTP/2: the stream was reset with \(code)")
      case .streamFailed(_, let code): outcome = .failure("HTTP/2: \(code)")
      case .streamRefused: outcome = .failure("HTTP/2: the endpoint takes no requests (GOAWAY)")
      case .windowOpened, .connectionWindowOpened, .settingsChanged, .settingsAcknowledged, .goAway,
        .pingAcknowledged:
        break
      }
    }
    return position
  }

  private func take(_ block: HTTP2HeaderBlock, _ bytes: Span<UInt8>) throws(HTTP2ConnectionError) {
    // Spans of it must not depend on the object.
    let fields = fields
    fields.removeAll()
    do throws(HTTP2BlockError) {
      if block.kind == .trailers {
        try engine.decodeTrailers(
          block, of: bytes, into: fields, fields: &trailers, limits: HTTP2HeadLimits())
        takeStatus(trailers, fields.bytes)
      } else {
        try engine.decodeResponse(
          block, of: bytes, into: fields, head: &head,
          requestMethod: request.grpcMessage == nil ? .get : .post, limits: HTTP2HeadLimits())
        if head.status >= 200 { takeHead(fields.bytes) }
      }
    } catch {
      outcome = .failure("HTTP/2: \(Self.text(of: error))")
    }
    if block.endsStream { end() }
  }

  private static func text(of error: HTTP2BlockError) -> String {
    switch error {
    case .connection(let code): code.description
    case .malformed(let malformation): malformation.description
    case .refused(let error): error.description
    }
  }

  private func takeHead(_ bytes: Span<UInt8>) {
    var length: UInt64?
    if case .length(let announced) = head.framing { length = announced }
    guard engine.acceptHead(slot: slot, contentLength: length) else {
      outcome = .failure("HTTP/2: \(HTTP2Malformation.contentLengthDiffers)")
      return
    }
    switch expectation {
    case .http(let statuses): outcome = HealthProbe.judge(Int(head.status), statuses)
    case .grpc:
      let isCall = head.fields.contains {
        bytes.equalsIgnoringCase($0.name, lowercase: "content-type")
          && text($0, bytes).lowercased().hasPrefix("application/grpc")
      }
      if head.status != 200 {
        outcome = .failure("HTTP \(head.status)")
      } else if !isCall {
        outcome = .failure("the endpoint does not speak gRPC")
      }
      takeStatus(head.fields, bytes)
    }
  }

  private func takeStatus(_ fields: [Field], _ bytes: Span<UInt8>) {
    for field in fields where bytes.equalsIgnoringCase(field.name, lowercase: "grpc-status") {
      grpcStatus = Int(text(field, bytes))
    }
  }

  private func text(_ field: Field, _ bytes: Span<UInt8>) -> String {
    let value = bytes.bytes(in: field.value)
    var copy: [UInt8] = []
    for index in value.indices { copy.append(value[index]) }
    return String(decoding: copy, as: UTF8.self)
  }

  private func take(_ piece: Span<UInt8>) {
    guard content.count + piece.count <= GRPCHealth.messageBytesMax else {
      outcome = .failure("the response is not a HealthCheckResponse")
      return
    }
    for index in piece.indices { content.append(piece[index]) }
  }

  /// The response is complete.
  private func end() {
    if outcome == nil { outcome = GRPCHealth.judge(status: grpcStatus, content: content) }
  }
}
