import HTTPCodec
import Runtime

/// What a cache asks of an exchange. On the worker's thread, within the plugin's calls.
extension Exchange {
  // MARK: The request

  /// The request wants to become something else, such as WebSocket.
  public var wantsUpgrade: Bool { upgrade != .none }

  /// What the cache had, for the log and the counters.
  public func noteCache(_ result: CacheResult) { record.cacheResult = result }

  /// What the endpoint is told that is not the request's own: path and query, and host, where plugins have changed
  /// them, and what a trusted peer says of the client's connection.
  public func appendForwardedDifferences(to out: Buffer) {
    if !rewrittenTarget.isEmpty { out.append(rewrittenTarget) }
    out.append(0)
    if !rewrittenHost.isEmpty { out.append(rewrittenHost) }
    out.append(0)
    guard isPeerTrusted else { return }
    let input = input
    for field in request.fields {
      switch field.known {
      case .xForwardedProto, .xForwardedHost, .xForwardedPort, .forwarded:
        out.append(field.known.rawValue)
        out.append(input, range: field.value.range)
        out.append(0)
      default: break
      }
    }
  }

  /// Whether plugins have changed fields of the request.
  public var hasRequestEdits: Bool { !requestEdits.isEmpty }

  /// The values of a field as they go to the endpoint, separated by commas; nil where there is none.
  /// - name: In lower case; none that the gateway writes.
  public func sentValue(of name: [UInt8]) -> [UInt8]? {
    var value: [UInt8]?
    let input = input
    let bytes = input.bytes
    for field in request.fields where bytes.equalsIgnoringCase(field.name, lowercase: name) {
      if !isPassedOn(field) { continue }
      value = (value.map { $0 + Array(", ".utf8) } ?? []) + input.copy(field.value.range)
    }
    let lines = requestEdits.lines
    var cursor = LineCursor()
    while let field = cursor.next(in: lines.bytes) {
      guard lines.bytes.equalsIgnoringCase(field.name, lowercase: name) else { continue }
      value = (value.map { $0 + Array(", ".utf8) } ?? []) + lines.copy(field.value.range)
    }
    return value
  }

  // MARK: Requests in place of this one

  /// The service that the route has chosen.
  public var chosenService: UpstreamService? { service }

  /// Whether a request of the gateway's own could do what this one would: no plugin behind the present one has a say
  /// in it, none chooses another service or has to do with what goes to it, and none changes or refuses the content of
  /// its response. In ``Plugin/requestHead(_:)``.
  public var mayBeAskedAside: Bool {
    guard let chain, responseBytesMax == .max else { return false }
    if !chain.phases.isDisjoint(with: [.upstreamChoice, .chosenService, .heldResponse]) { return false }
    return !chain.plugins[min(pluginPosition + 1, chain.plugins.count)...].contains {
      $0.phases.contains(.requestHead)
    }
  }

  // MARK: The response

  /// Of the head that an endpoint has sent.
  public var endpointStatus: UInt16 { responseHead.status }

  /// Has a look at each field of the head that an endpoint has sent.
  public func withResponseFields(_ body: (Field, Span<UInt8>) -> Void) {
    let response = response
    let bytes = response.bytes
    for field in responseHead.fields { body(field, bytes) }
  }

  /// Copies the fields that are not for one hop as lines, without those of the framing; adds the date that is
  /// missing.
  public func appendResponseFields(to out: Buffer, where isWanted: (Field, Span<UInt8>) -> Bool) {
    let response = response
    let bytes = response.bytes
    var hasDate = false
    appendEndToEndFields(of: responseHead.fields, from: response, to: out) { field in
      if field.known == .date { hasDate = true }
      switch field.known {
      case .connection, .keepAlive, .proxyConnection, .transferEncoding, .contentLength, .upgrade, .te,
        .trailer,
        .proxyAuthenticate:
        return false
      default: break
      }
      if responseHead.hasConnectionOptions, isNamedByConnection(field, in: responseHead.fields, bytes: bytes)
      {
        return false
      }
      return isWanted(field, bytes)
    }
    if !hasDate { data.appendDate(to: out) }
  }

  /// Seconds since 1970.
  public var wallClockSeconds: Int64 { worker.seam.wallClockNanoseconds() / 1_000_000_000 }

  /// When the request that is answered was sent to the endpoint.
  public var attemptBegan: MonotonicTime { attemptStart }

  /// From then to the response's head.
  public var responseNanoseconds: Int64 { record.responseNanoseconds }

  // MARK: Waiting

  /// Waits until somebody wakes it, its client goes away, its call's deadline passes or the time is over.
  public func wait(for handle: WakeHandle, until deadline: MonotonicTime) async {
    let until = min(deadline, callDeadline)
    // A drain wakes whoever waits, and ends no wait.
    while !handle.hasFired, !hasLostClient, worker.now < until {
      client.transport.interest = .peerClosed
      await handle.wait(on: client, until: until)
      client.transport.interest = []
    }
  }
}
