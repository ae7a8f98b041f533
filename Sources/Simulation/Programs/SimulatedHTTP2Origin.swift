import HTTPCodec
import Runtime

/// What an origin that speaks HTTP/2 does; see ``SimulatedOrigin``.
extension SimulatedOrigin {
  func serveHTTP2(_ socket: Socket, number: Int) {
    openCount += 1
    let connection = SimulatedHTTP2Connection(socket, role: .server, settings: http2Settings)
    connection.releasesContent = http2ReleasesContent
    http2Connections.append(connection)
    connection.accept = { [unowned self] stream in
      let index = requests.count
      var request = stream.request
      request.connection = number
      request.wire = connection.number
      request.streamID = stream.streamID
      requests.append(request)
      worker.spawn { await self.serve(stream, request: index) }
    }
    worker.spawn {
      do throws(StreamFailure) { try await connection.waitForClose() } catch { self.failures.append(error) }
      if let violation = connection.violation { self.violations.append(violation.reason.description) }
      connection.accept = nil
      self.http2Connections.removeAll { $0 === connection }
      self.openCount -= 1
    }
  }

  private func serve(_ stream: SimulatedHTTP2Stream, request index: Int) async {
    do throws(StreamFailure) {
      try await perform(script(requests[index], index), on: stream, request: index)
    } catch {
      failures.append(error)
    }
    requests[index].body = stream.body
    requests[index].trailers = stream.trailers
    if let violation = stream.violation { violations.append("stream: \(violation)") }
    stream.connection.free(stream)
  }

  private func perform(
    _ steps: [OriginStep], on stream: SimulatedHTTP2Stream, request index: Int
  ) async throws(StreamFailure) {
    var pace: SimulatedStream.Pace?
    for step in steps {
      switch step {
      case .delay(let duration): await stream.sleep(duration)
      case .readContent: try await readContent(of: index, stream, pace)
      case .pace(let slow):
        pace = slow
        stream.releasesContent = false
      case .interim(let status, let fields):
        stream.sendHeaders([":status: \(status)"] + fields, endStream: false)
      case .respond(let status, let fields, let body):
        let head = [":status: \(status)"] + fields + ["content-length: \(body.count)"]
        stream.sendHeaders(head, endStream: body.isEmpty)
        if !body.isEmpty { try await stream.send(body, endStream: true) }
      case .respondChunked(let status, let fields, let body, let size, let trailers):
        stream.sendHeaders([":status: \(status)"] + fields, endStream: false)
        try await stream.send(body, endStream: trailers.isEmpty, size: size)
        if !trailers.isEmpty { stream.sendHeaders(trailers, endStream: true) }
      case .head(let status, let fields, let ends):
        stream.sendHeaders([":status: \(status)"] + fields, endStream: ends)
      case .content(let bytes): try await stream.send(bytes)
      case .end(let trailers):
        if trailers.isEmpty { stream.finish() } else { stream.sendHeaders(trailers, endStream: true) }
      case .send(let bytes): stream.connection.sendRaw(bytes)
      case .announce(let settings): stream.connection.announce(settings)
      case .goAway(let accepts):
        let highest = stream.connection.engine.highestPeerStream
        guard !accepts, stream.streamID == highest else {
          // Those that came later are being processed.
          stream.connection.sendGoAway(lastStreamID: highest)
          if accepts { continue }
          return stream.reset(.refusedStream)
        }
        return stream.connection.sendGoAway(lastStreamID: highest - 1)
      case .resetStream(let code): return stream.reset(code)
      case .close: return stream.connection.close()
      case .reset: return stream.connection.reset()
      case .hang: try await stream.wait { false }
      case .tunnel: preconditionFailure("HTTP/1 only")
      }
    }
    try await readContent(of: index, stream, pace)
  }

  private func readContent(
    of index: Int, _ stream: SimulatedHTTP2Stream, _ pace: SimulatedStream.Pace?
  ) async throws(StreamFailure) {
    if requests[index].isComplete { return }
    if stream.expectsContinue && stream.body.isEmpty {
      stream.sendHeaders([":status: 100"], endStream: false)
    }
    if let pace {
      while !stream.hasEnded {
        try await stream.wait { stream.heldCount > 0 || stream.hasEnded }
        stream.release(pace.bytes)
        await stream.sleep(pace.pause)
      }
    }
    try await stream.waitForEnd()
    requests[index].body = stream.body
    requests[index].trailers = stream.trailers
    requests[index].isComplete = true
  }
}
