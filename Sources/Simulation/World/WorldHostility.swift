import HTTPCodec
import Runtime

/// Clients of a ``World`` that send what nobody should, and disturbances.
extension World {
  /// Requests that must not get through. Those that smuggle try to have `/a/-1/0` understood as a request.
  private static let malformed: [String] = [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\nHost: x.test\n\n",
    "GET /a/-1/0 HTTP/1.1\r\nHost : x.test\r\n\r\n",
    "GET /a/-1/0 HTTP/1.1\r\nHost: x.test\r\n folded: x\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
      + "GET /a/-1/0 HTTP/1.1\r\nHost: x.test\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"
      + "GET /a/-1/0 HTTP/1.1\r\nHost: x.test\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: xchunked\r\n\r\n"
      + "GET /a/-1/0 HTTP/1.1\r\nHost: x.test\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: +4\r\n\r\nabcdGET /a/-1/0 HTTP/1.1\r\n\r\n",
    "\u{0}\u{1}\u{2}\u{3}\r\n\r\n",
    "GET /" + String(repeating: "a", count: 20_000) + " HTTP/1.1\r\nHost: x.test\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
  ]

  func startHostileClient(_ number: Int) {
    var own = random.split()
    start("hostile \(number)", client: number) { [unowned self] client, listener throws(StreamFailure) in
      let stream = try await client.connect(to: listener)
      defer { stream.close() }
      stream.patience = patience
      do throws(StreamFailure) {
        switch own.next(below: 5) {
        case 0, 1:
          let bytes = Array(own.pick(Self.malformed).utf8)
          try await stream.trickle(
            bytes, size: 1 + bytes.count / (1 + own.next(below: 4)), pause: .milliseconds(5))
        case 2:
          // The beginning of a head, and no more of it.
          try await stream.send("GET /a HTT")
        case 3:
          // Frames of chance behind the preface.
          try await stream.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
          try await stream.send(SimulatedHTTP2Connection.frame(type: 4, streamID: 0))
          for _ in 0..<10 {
            let payload = (0..<own.next(below: 40)).map { _ in UInt8(own.next(below: 256)) }
            let type = UInt8(own.next(below: 10))
            try await stream.send(
              SimulatedHTTP2Connection.frame(
                type: type, flags: UInt8(own.next(below: 64)), streamID: UInt32(own.next(below: 6)), payload))
          }
        default: break
        }
        // Its end must come by itself.
        try await stream.waitForClose()
      } catch {
        if error == .timedOut, !lostClients.contains(number % 2) {
          ledger.violate("a hostile client was never told to go", [stream.number])
        }
      }
    }
  }

  // MARK: Disturbances

  /// Something happens to the gateway, an origin or the network while requests are under way.
  func disturb() throws(SimulationError) {
    let network = simulation.network
    let origin = random.pick(origins)
    let kind = random.next(below: 13)
    network.remark("disturbance \(kind) at \(origin.address.description)")
    switch kind {
    case 0:
      origin.stop(reset: true)
      try simulation.run(for: .milliseconds(200))
      origin.restart()
    case 1: network.silence(origin.address)
    case 2: network.ignoreConnects(to: origin.address)
    case 3:
      ledger.closedEarly = true
      origin.closeConnections()
    case 4:
      let lost = random.next(below: clients.count)
      lostClients.insert(lost)
      network.silence(clients[lost].worker.seam is SimulatedSeam ? Self.clientAddress(lost) : origin.address)
    case 5:
      for connection in origin.http2Connections {
        var settings = origin.http2Settings
        settings.concurrentStreams = random.next(below: 4)
        settings.streamWindowBytes = random.next(below: 100_000)
        connection.announce(settings)
      }
    case 6: for gateway in gateways { gateway.abortConnections() }
    case 7, 8: network.wallClockOffset += .seconds(Int64(random.next(below: 400_000)) - 200_000)
    case 9, 10: simulation.jump(random.milliseconds(below: 8_000))
    default:
      // Descriptors run out for a while.
      isShortOfDescriptors = true
      defer { isShortOfDescriptors = false }
      for gateway in gateways {
        let seam = simulation.seam(of: gateway.worker)
        seam.descriptorLimit = seam.descriptorCount + random.next(below: 2)
      }
      try simulation.run(for: random.milliseconds(below: 2_000))
      for gateway in gateways { simulation.seam(of: gateway.worker).descriptorLimit = .max }
    }
  }
}
