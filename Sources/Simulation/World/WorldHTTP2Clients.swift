import HTTPCodec
import Runtime

/// The clients of a ``World`` that speak HTTP/2, gRPC among them.
extension World {
  func startHTTP2Client(_ number: Int) {
    var own = random.split()
    let count = 1 + own.next(below: 8)
    var settings = HTTP2LocalSettings()
    if own.chance(3) { settings.streamWindowBytes = 300 + own.next(below: 3_000) }
    let isRude = !plan.isCalm && own.chance(6)
    let isSlow = own.chance(plan.focus == .overload ? 2 : 4)
    start("h2 client \(number)", client: number) { [unowned self] client, listener throws(StreamFailure) in
      let connection = try await SimulatedHTTP2Connection.connect(
        to: listener, on: client.worker, settings: settings)
      connection.patience = patience
      var left = count
      let done = Signal(on: connection.worker)
      for _ in 0..<count {
        let seed = own.next()
        connection.worker.spawn {
          var own = SplitMix64(seed: seed)
          await self.exchange(on: connection, client: number, isSlow: isSlow, &own)
          left -= 1
          done.notify()
        }
        if own.chance(3) { await connection.sleep(own.milliseconds(below: 1_000)) }
      }
      if isRude {
        await connection.sleep(own.milliseconds(below: 500))
        connection.reset()
      }
      while left > 0 { _ = await done.wait(until: .never) }
      if let violation = connection.violation {
        ledger.violate("the gateway broke a rule of HTTP/2: \(violation.reason)", [connection.number])
      }
      connection.close()
    }
  }

  /// Opens a stream; nil where the connection takes no more, which is no fault of anybody's.
  private func open(
    _ request: WorldRequest, on connection: SimulatedHTTP2Connection, client: Int, hasLength: Bool
  ) async -> SimulatedHTTP2Stream? {
    let hasContent = request.method != "GET" && request.method != "HEAD"
    var fields = hasLength && hasContent ? ["content-length: \(request.contentBytes)"] : []
    if request.hasKey { fields.append("apikey: \(WorldPlugins.key)") }
    if request.kind == .call { fields += ["content-type: application/grpc", "te: trailers"] }
    do throws(StreamFailure) {
      let stream = try await connection.open(
        request.method, request.target, fields: fields, endStream: !hasContent, authority: request.place.host)
      ledger.sent(request, on: connection.number)
      return stream
    } catch {
      let isOver = !connection.goAways.isEmpty || !connection.isOpen
      if isOver && error != .timedOut {
        ledger.ended(request, .abandoned, version: topology.newest)
      } else {
        fail([request], error, on: connection.number, isLost: lostClients.contains(client % 2))
      }
      return nil
    }
  }

  private func exchange(
    on connection: SimulatedHTTP2Connection, client: Int, isSlow: Bool, _ own: inout SplitMix64
  ) async {
    let request = makeRequest(&own, own.chance(4) ? .call : .plain)
    let hasContent = request.method != "GET" && request.method != "HEAD"
    let hasLength = request.kind == .plain && own.chance(2)
    let trailers = hasContent && request.kind == .plain && own.chance(4) ? ["x-digest: 5"] : []
    let leavesAfter = !plan.isCalm && own.chance(8) ? own.milliseconds(below: 400) : nil
    guard let stream = await open(request, on: connection, client: client, hasLength: hasLength) else {
      return
    }
    var hasLeft = false
    if let leavesAfter {
      connection.worker.spawn {
        await stream.sleep(leavesAfter)
        guard request.outcome == nil else { return }
        hasLeft = true
        stream.reset()
      }
    }
    if isSlow { releaseSlowly(stream) }
    do throws(StreamFailure) {
      let response = try await stream.exchange(body: hasContent ? request.content : nil, trailers: trailers)
      answered(request, response)
      checkWire(request, response, stream)
    } catch {
      if hasLeft { return ledger.ended(request, .abandoned, version: topology.newest) }
      if let violation = stream.violation {
        ledger.violate("the gateway broke a rule of HTTP/2: \(violation)", request)
      }
      if wasNotTaken(request, stream) { return ledger.ended(request, .abandoned, version: topology.newest) }
      simulation.network.remark(
        connection: connection.number,
        "stream \(stream.number) of request \(request.number): \(error), \(stream.body.count) of "
          + "\(request.responseBytes) bytes of its response, reset "
          + "\(String(describing: stream.resetCode)), GOAWAY \(connection.goAways)")
      fail([request], error, on: connection.number, isLost: lostClients.contains(client % 2))
    }
  }

  /// The gateway said that the request was not processed: beyond its limit of streams, or of GOAWAY.
  private func wasNotTaken(_ request: WorldRequest, _ stream: SimulatedHTTP2Stream) -> Bool {
    let last = stream.connection.goAways.last?.lastStreamID ?? .max
    guard stream.resetCode == .refusedStream || stream.number > last else { return false }
    if !request.arrivals.isEmpty { ledger.violate("was said not to be processed", request) }
    return true
  }

  private func releaseSlowly(_ stream: SimulatedHTTP2Stream) {
    stream.releasesContent = false
    let connection = stream.connection
    connection.worker.spawn {
      while stream.failure == nil && connection.isOpen && !(stream.hasEnded && stream.heldCount == 0) {
        await stream.sleep(.milliseconds(5))
        stream.release(2_000)
      }
    }
  }

  /// What the strict reader saw of the stream must be what the client got.
  private func checkWire(
    _ request: WorldRequest, _ response: SimulatedResponse, _ stream: SimulatedHTTP2Stream
  ) {
    var expected = StrictHTTP2.Content()
    expected.append(response.body)
    expected.isWhole = true
    let seen = watch.content(of: stream.number, on: stream.connection.number)
    if seen != expected { ledger.violate("on the wire its stream has \(seen as Any)", request) }
  }
}
