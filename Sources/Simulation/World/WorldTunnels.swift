import HTTPCodec
import Runtime

/// Tunnels of a ``World``: WebSocket over HTTP/1.1 and over HTTP/2.
extension World {
  /// The client's frames of a tunnel, and the origin's.
  private func clientFrames(_ request: WorldRequest) -> [UInt8] {
    let payload = pattern(request.responseBytes, seed: request.number + 1)
    return SimulatedWebSocket.frame(payload, isMasked: true)
  }

  private func originFrames(_ request: WorldRequest) -> [UInt8] {
    SimulatedWebSocket.frame(pattern(request.responseBytes, seed: request.number), isMasked: false)
  }

  func tunnelSteps(_ known: WorldRequest, _ request: SimulatedRequest) -> [OriginStep] {
    if !plan.isCalm, random.chance(4) {
      return random.pick([[.hang], [.respond(403)], [.respond(200, body: [1])], [.close], [.reset]])
    }
    let leavesEarly = !plan.isCalm && random.chance(4)
    return [
      .send(SimulatedWebSocket.acceptance(of: request)),
      .tunnel { [unowned self] stream throws(StreamFailure) in
        let outgoing = originFrames(known)
        if leavesEarly {
          try await stream.send(Array(outgoing.prefix(outgoing.count / 2)))
          return stream.reset()
        }
        sendBeside(outgoing, on: stream)
        let expected = clientFrames(known)
        let received = try await stream.read(expected.count)
        if received != expected { ledger.violate("its tunnel brought the origin something else", known) }
        // The client closes first.
        try await stream.waitForClose()
      },
    ]
  }

  /// Sends while something else reads; whoever reads learns of a failure as well.
  private func sendBeside(_ bytes: [UInt8], on stream: SimulatedStream) {
    stream.worker.spawn {
      do throws(StreamFailure) { try await stream.send(bytes) } catch {}
    }
  }

  func startTunnel(_ number: Int) {
    var own = random.split()
    let overHTTP2 = own.chance(2) && plan.focus != .http1
    start("tunnel \(number)", client: number) { [unowned self] client, listener throws(StreamFailure) in
      let request = makeRequest(&own, .tunnel)
      do throws(StreamFailure) {
        if overHTTP2 {
          try await tunnelOverHTTP2(request, client, listener)
        } else {
          try await tunnelOverHTTP1(request, client, listener)
        }
      } catch {
        fail([request], error, on: request.wire, isLost: lostClients.contains(number % 2))
      }
    }
  }

  private func tunnelOverHTTP1(
    _ request: WorldRequest, _ client: SimulatedClient, _ listener: SocketAddress
  ) async throws(StreamFailure) {
    let stream = try await client.connect(to: listener)
    defer { stream.close() }
    stream.patience = patience
    ledger.sent(request, on: stream.number)
    let lines = [
      "GET \(request.target) HTTP/1.1", "Host: \(request.place.host)", "Connection: Upgrade",
      "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    try await stream.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    let response = try await stream.readResponse()
    guard response.status == 101 else { return tunnelRefused(request, response.status) }
    sendBeside(clientFrames(request), on: stream)
    let expected = originFrames(request)
    let received = try await stream.read(expected.count)
    tunnelEnded(request, received, expected)
  }

  private func tunnelOverHTTP2(
    _ request: WorldRequest, _ client: SimulatedClient, _ listener: SocketAddress
  ) async throws(StreamFailure) {
    let connection = try await SimulatedHTTP2Connection.connect(to: listener, on: client.worker)
    defer { connection.close() }
    connection.patience = patience
    let deadline = client.worker.now.advanced(byNanoseconds: patience.inNanoseconds)
    while !connection.peerSettings.allowsExtendedConnect {
      guard connection.isOpen else { throw .closed }
      guard client.worker.now < deadline else { throw .timedOut }
      await connection.sleep(.milliseconds(20))
    }
    ledger.sent(request, on: connection.number)
    let stream = try await connection.open(
      "CONNECT", request.target, protocol: "websocket", fields: ["sec-websocket-version: 13"],
      endStream: false, authority: request.place.host)
    try await stream.waitForHead()
    guard stream.response.status == 200 else { return tunnelRefused(request, stream.response.status) }
    try await stream.send(clientFrames(request))
    let expected = originFrames(request)
    try await stream.wait { stream.body.count >= expected.count }
    tunnelEnded(request, stream.body, expected)
    stream.finish()
    // What it has sent must be on its way before the connection goes.
    await connection.sleep(.seconds(2))
  }

  private func tunnelEnded(_ request: WorldRequest, _ received: [UInt8], _ expected: [UInt8]) {
    ledger.ended(request, .status(101), version: topology.newest)
    if let difference = difference(received, expected) {
      ledger.violate("its tunnel brought the client something else: \(difference)", request)
    }
  }

  private func tunnelRefused(_ request: WorldRequest, _ status: Int) {
    ledger.ended(request, .status(status), version: topology.newest)
    switch status {
    case 404 where mayLackRoute(request): break
    case _ where WorldPluginSet.refusals.contains(status) && mayMeetPlugins(request): break
    // Endpoints of HTTP/2 are not asked; an origin of HTTP/1.1 may say no.
    case 501 where topology.mayReachHTTP2(request.place, from: request.since, to: topology.newest): break
    case 200, 403, 408, 502, 503, 504: if plan.isCalm { ledger.violate("status \(status)", request) }
    default: ledger.violate("status \(status)", request)
    }
  }
}
