import HTTPCodec
import Runtime

/// How a request's head is read.
extension Exchange {
  enum HeadResult {
    case request
    case partial(PartialHead)
    /// Nothing had arrived after all.
    case nothing
    case closed
    case timedOut
    /// The connection's first bytes are HTTP/2's preface.
    case http2
    case refused(HTTP1Error)
  }

  /// Reads until a whole request head is in `input` and parsed, or nothing more is there to be read.
  func readHead(on socket: Transport, _ before: PartialHead?) -> HeadResult {
    requestParser.reset()
    beginRecord()
    if let headBegan { record.start = headBegan }
    if let before { resume(before) }
    while true {
      if !input.isEmpty {
        let preface = prefaceMatch(input)
        if preface == .complete { return .http2 }
        do {
          if preface == .different, try parseHead(in: input) { return .request }
        } catch {
          return .refused(error)
        }
      }
      let result = socket.receive(into: input)
      if result.bytes > 0 { continue }
      guard result.isWouldBlock else { return .closed }
      dropEmptyLines(of: input)
      if input.isEmpty { return .nothing }
      if before?.isLate == true { return .timedOut }
      return .partial(partialHead())
    }
  }

  /// Goes on where the connection has waited for the rest of a head.
  func resume(_ head: PartialHead) {
    input.append(head.bytes, range: 0..<head.bytes.count)
    if head.parser.limits == requestParser.limits { requestParser = head.parser }
    headBegan = head.began
    record.start = head.began
  }

  /// What has come of the head, to be kept without the exchange.
  func partialHead() -> PartialHead {
    PartialHead(of: input, requestParser, began: record.start, limit: data.settings.headNanoseconds)
  }

  /// Whether the bytes are the preface of HTTP/2, where that is allowed (RFC 9113 §3.3).
  private func prefaceMatch(_ input: Buffer) -> HTTP2Preface.Match {
    guard client.requestCount == 0, client.connection.mayBecomeHTTP2 else { return .different }
    return HTTP2Preface.match(input.bytes)
  }

  /// Spans borrow from a parameter, which costs nothing, where they would have to hold a property.
  func parseHead(in input: Buffer) throws(HTTP1Error) -> Bool {
    try requestParser.parse(input.bytes, into: &request)
  }

  /// Some clients end content with a line of its own: no request has begun by that (RFC 9112 §2.2).
  func dropEmptyLines(of input: Buffer) {
    let bytes = input.bytes
    guard bytes.count == 2 || bytes.count == 4 else { return }
    for index in bytes.indices where bytes[index] != (index % 2 == 0 ? 13 : 10) { return }
    input.removeAll()
  }
}
