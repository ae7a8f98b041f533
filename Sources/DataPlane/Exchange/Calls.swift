import HTTPCodec
import Runtime

/// A status of gRPC (the protocol's statuscodes document).
enum CallStatus: UInt8 {
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case permissionDenied = 7
  case resourceExhausted = 8
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case unauthenticated = 16

  /// What an answer of the gateway's own means to a client of gRPC: the mapping of HTTP statuses that
  /// gRPC's clients use, and more precise where the gateway knows more.
  init(_ answer: Answer) {
    switch answer {
    case .deadlineExceeded, .clientTimeout: self = .deadlineExceeded
    case .contentTooLarge: self = .resourceExhausted
    case .noRoute, .methodNotSupported, .upgradeNotSupported: self = .unimplemented
    case .badRequest, .plainHTTP: self = .internal
    case .clientClosed: self = .cancelled
    default:
      switch answer.status {
      case 400: self = .internal
      case 404: self = .unimplemented
      case 413: self = .resourceExhausted
      case 502, 503, 504, 429: self = .unavailable
      case 401: self = .unauthenticated
      case 403: self = .permissionDenied
      default: self = .unknown
      }
    }
  }
}

/// Calls of gRPC: deadlines, statuses and retries.
extension Exchange {
  /// Finds out whether the request is a call, and when its client gives up.
  func noteCall() {
    guard request.method == .post else { return }
    let input = input
    let bytes = input.bytes
    for field in request.fields where field.known == .contentType {
      isGRPC = Self.isGRPC(bytes.extracting(field.value.range))
      break
    }
    guard isGRPC else { return }
    for field in request.fields where field.known == .other && field.name.count == 12 {
      guard bytes.equalsIgnoringCase(field.name, lowercase: "grpc-timeout"),
        let nanoseconds = Self.timeout(bytes.extracting(field.value.range))
      else { continue }
      callDeadline = record.start.advanced(byNanoseconds: nanoseconds)
    }
  }

  /// `application/grpc`, with a message format or parameters behind it, but not gRPC-Web.
  static func isGRPC(_ value: Span<UInt8>) -> Bool {
    let name: StaticString = "application/grpc"
    guard value.count >= name.utf8CodeUnitCount else { return false }
    let range = ByteRange(start: 0, count: name.utf8CodeUnitCount)
    guard value.equalsIgnoringCase(range, lowercase: "application/grpc") else { return false }
    if value.count == name.utf8CodeUnitCount { return true }
    let next = value[name.utf8CodeUnitCount]
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";") || next == UInt8(ascii: " ")
  }

  /// At most eight digits and a unit; nil where it is something else.
  static func timeout(_ value: Span<UInt8>) -> Int64? {
    guard value.count >= 2, value.count <= 9 else { return nil }
    var number: Int64 = 0
    for index in 0..<value.count - 1 {
      let digit = value[index] &- 48
      guard digit < 10 else { return nil }
      number = number * 10 + Int64(digit)
    }
    switch value[value.count - 1] {
    // As many hours are more than can be counted: whoever says so will not give up.
    case UInt8(ascii: "H"): return min(number, 1_000_000) * 3_600_000_000_000
    case UInt8(ascii: "M"): return number * 60_000_000_000
    case UInt8(ascii: "S"): return number * 1_000_000_000
    case UInt8(ascii: "m"): return number * 1_000_000
    case UInt8(ascii: "u"): return number * 1_000
    case UInt8(ascii: "n"): return number
    default: return nil
    }
  }

  // MARK: Answers

  /// A response that consists of trailers only.
  func answerCall(_ answer: Answer, on stream: HTTP2Stream) {
    guard let connection = stream.connection, stream.slot >= 0 else { return }
    record.status = 200
    connection.engine.encoder.begin()
    connection.engine.encoder.encode(status: 200)
    connection.engine.encoder.encode(.contentType, value: Self.grpcContentType.span)
    encodeCallStatus(answer, connection)
    encodeCallFields(answer, connection)
    record.sentBytes += UInt64(connection.engine.encoder.blockCount)
    connection.appendHeaders(slot: stream.slot, endStream: true)
    stream.noteFinished()
  }

  /// What plugins add to an answer.
  private func encodeCallFields(_ answer: Answer, _ connection: HTTP2Connection) {
    if chain == nil { return }
    editResponse()
    if case .plugin(let answer) = answer {
      let lines = responseEdits.kept(of: answer.lines)
      encodeLines(lines.span, connection)
    }
    let added = responseEdits.lines
    encodeLines(added.bytes, connection)
  }

  private static let grpcStatusName = HPACKName("grpc-status")
  private static let grpcMessageName = HPACKName("grpc-message")
  private static let grpcContentType = Array("application/grpc".utf8)

  private func encodeCallStatus(_ answer: Answer, _ connection: HTTP2Connection) {
    connection.engine.encoder.encode(Self.grpcStatusName, decimal: UInt64(CallStatus(answer).rawValue))
    // Mostly one sentence. What would have to be escaped in a plugin's is left out.
    var message = InlineArray<128, UInt8>(repeating: 0)
    var count = 0
    var text = Array(answer.text.description.utf8)
    if case .plugin(let answer) = answer { text = answer.content }
    for byte in text where byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "%") && count < 128 {
      message[count] = byte
      count += 1
    }
    connection.engine.encoder.encode(Self.grpcMessageName, value: message.span.extracting(0..<count))
  }

  /// The call's deadline has passed; what has been passed on of a response ends with its status.
  func deadlinePassed() -> Attempt {
    guard download.hasSentFinalHead else { return .refuse(.deadlineExceeded) }
    guard let stream = client.stream, let connection = stream.connection, stream.slot >= 0 else {
      return .answered(keep: false)
    }
    connection.engine.encoder.begin()
    encodeCallStatus(.deadlineExceeded, connection)
    connection.appendHeaders(slot: stream.slot, endStream: true)
    stream.noteFinished()
    return .answered(keep: false)
  }

  // MARK: Retries

  /// Whether the head says that the call failed, without a message, with a status that may be tried
  /// again.
  func mayRetryCall() -> Bool {
    guard isGRPC, let service, service.settings.retryConditions.includesCallStatus,
      let stream = upstream?.stream, stream.hasEnded, stream.availableBytes == 0
    else { return false }
    let status =
      callStatus(responseHead.fields, response)
      ?? stream.trailers.flatMap { callStatus(stream.trailerFields, $0) }
    guard let status, service.settings.retryConditions.includes(callStatus: status) else { return false }
    return mayRetryAnyMethod()
  }

  private func callStatus(_ fields: [Field], _ source: Buffer) -> UInt8? {
    let bytes = source.bytes
    for field in fields where field.known == .other && field.name.count == 11 {
      guard bytes.equalsIgnoringCase(field.name, lowercase: "grpc-status") else { continue }
      return bytes.decimal(in: field.value).flatMap { UInt8(exactly: $0) }
    }
    return nil
  }
}
