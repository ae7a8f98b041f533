import HTTPCodec
import Runtime

extension SimulatedHTTP2Connection {
  /// Opens a stream with the head of a request.
  ///
  /// - Parameter protocol: of an extended CONNECT (RFC 8441).
  public func open(
    _ method: String = "GET", _ target: String = "/", protocol name: String? = nil, fields: [String] = [],
    endStream: Bool = true, authority: String = "gateway.test"
  ) async throws(StreamFailure) -> SimulatedHTTP2Stream {
    let stream = try await openStream()
    stream.method = method == "HEAD" ? .head : method == "CONNECT" ? .connect : .get
    var head = [":method: \(method)", ":scheme: http", ":authority: \(authority)", ":path: \(target)"]
    if let name { head.append(":protocol: \(name)") }
    stream.sendHeaders(head + fields, endStream: endStream)
    return stream
  }

  /// Sends a request with its content, and reads its response.
  ///
  /// - Parameters:
  ///   - announcesLength: whether it has `Content-Length`.
  public func request(
    _ method: String = "GET", _ target: String = "/", fields: [String] = [], body: [UInt8]? = nil,
    trailers: [String] = [], announcesLength: Bool = true
  ) async throws(StreamFailure) -> SimulatedResponse {
    var fields = fields
    if let body, announcesLength { fields.append("content-length: \(body.count)") }
    let stream = try await open(method, target, fields: fields, endStream: body == nil && trailers.isEmpty)
    return try await stream.exchange(body: body, trailers: trailers)
  }
}

extension SimulatedHTTP2Stream {
  /// Sends the content of a request and reads the response, both at once. A response that is complete
  /// ends the request as well.
  public func exchange(body: [UInt8]?, trailers: [String] = []) async throws(StreamFailure)
    -> SimulatedResponse
  {
    defer { connection.free(self) }
    if let body {
      do throws(StreamFailure) {
        try await send(body, endStream: trailers.isEmpty)
      } catch {
        // Whoever has answered need not read the rest (RFC 9113 §8.1).
        guard hasEnded, hasHead else { throw error }
        return wholeResponse
      }
    }
    if !trailers.isEmpty { sendHeaders(trailers, endStream: true) }
    try await waitForEnd()
    return wholeResponse
  }
}

extension SimulatedClient {
  public func connectHTTP2(
    settings: HTTP2LocalSettings = HTTP2LocalSettings()
  ) async throws(StreamFailure) -> SimulatedHTTP2Connection {
    try await SimulatedHTTP2Connection.connect(to: gateway, on: worker, settings: settings)
  }
}
