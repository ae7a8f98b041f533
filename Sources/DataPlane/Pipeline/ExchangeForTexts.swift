import HTTPCodec
import Runtime

/// What texts of plugins may speak of: parts of the request, as bytes.
extension Exchange {
  public var method: [UInt8] { copy(request.methodRange) }

  /// As the client wrote it, without the port; empty where it has sent none.
  public var host: [UInt8] { copy(request.host) }

  /// As in `X-Request-ID`; empty where requests have none.
  public var requestName: [UInt8] { requestID.copy(0..<requestID.count) }

  /// Writes the same.
  public func appendRequestName(to out: Buffer) { out.append(requestID) }

  public var query: [UInt8] { request.hasQuery ? copy(request.query) : [] }

  public var isHeadRequest: Bool { request.method == .head }

  /// Whether the head that is about to be sent is an endpoint's, and not an answer of the gateway's own; in
  /// ``Plugin/responseHead(_:)``.
  public var isAnsweredByEndpoint: Bool { isEndpointsResponse }

  /// The status of the endpoint's head that is about to be sent, in ``Plugin/responseHead(_:)`` and
  /// ``Plugin/heldResponse(_:_:)``.
  public var responseStatus: UInt16 { responseHead.status }

  /// Whether that head has a field of a name.
  /// - name: In lower case.
  public func responseHasField(_ name: [UInt8]) -> Bool {
    let response = response
    let bytes = response.bytes
    return responseHead.fields.contains { bytes.equalsIgnoringCase($0.name, lowercase: name) }
  }

  /// Whether the head that is about to be sent lists one of some members in the fields of a name: `Origin` in `Vary`.
  /// Of an answer of the gateway's own, only what plugins have added is looked at.
  /// - name, members: In lower case.
  public func responseLists(anyOf members: [[UInt8]], in name: [UInt8]) -> Bool {
    let added = responseEdits.lines
    var lines = LineCursor()
    while let field = lines.next(in: added.bytes) {
      guard added.bytes.equalsIgnoringCase(field.name, lowercase: name) else { continue }
      if Self.lists(added.bytes, field.value, members) { return true }
    }
    guard isEndpointsResponse else { return false }
    let response = response
    let bytes = response.bytes
    for field in responseHead.fields where bytes.equalsIgnoringCase(field.name, lowercase: name) {
      if !responseEdits.drops(field.name, in: bytes), Self.lists(bytes, field.value, members) { return true }
    }
    return false
  }

  private static func lists(_ bytes: Span<UInt8>, _ value: ByteRange, _ members: [[UInt8]]) -> Bool {
    var cursor = ListCursor(value)
    while let one = cursor.next(in: bytes) {
      for member in members where bytes.equalsIgnoringCase(one, lowercase: member) { return true }
    }
    return false
  }
}

/// Waiting, for plugins. On the exchange's task.
extension Exchange {
  /// Waits this long; less where the client goes away, or its call's deadline passes.
  public func sleep(nanoseconds: Int64) async {
    let until = min(worker.now.advanced(byNanoseconds: nanoseconds), callDeadline)
    while worker.now < until, !hasLostClient {
      client.transport.interest = .peerClosed
      _ = await client.sleep(until: until)
      client.transport.interest = []
    }
  }

  /// Waits until `isOver` says so, at most this long; less where the client goes away, or its call's deadline passes.
  /// Who makes it so calls ``wake()``.
  public func sleep(nanoseconds: Int64, unless isOver: () -> Bool) async {
    let until = min(worker.now.advanced(byNanoseconds: nanoseconds), callDeadline)
    while !isOver(), worker.now < until, !hasLostClient {
      client.transport.interest = .peerClosed
      _ = await client.sleep(until: until)
      client.transport.interest = []
    }
  }

  /// Ends a ``sleep(nanoseconds:unless:)`` whose reason is there. On the worker's thread.
  public func wake() { client.wake() }

  /// The client has said how long it waits, and that is over.
  public var hasMissedDeadline: Bool { callDeadline <= worker.now }

  /// Nobody is left to answer.
  public var hasLostClient: Bool { client.isAborted || client.transport.readiness.contains(.peerClosed) }
}
