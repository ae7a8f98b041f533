import HTTPCodec
import Runtime

/// The response as it is passed on: rebuilt from what was parsed.
extension Exchange {
  /// Writes the canonical final head to `toClient`.
  func appendResponseHead() {
    let out = toClient
    appendStatusLine(to: out)
    var hasDate = false
    appendEndToEndFields(of: responseHead.fields, from: response, to: out) { field in
      if field.known == .date { hasDate = true }
      return self.isResponseFieldPassedOn(field)
    }
    // RFC 9110 §6.6.1: a recipient with a clock adds the date that is missing.
    if !hasDate { data.appendDate(to: out) }
    appendFraming(to: out)
    if http.addsVia {
      appendVia(responseHead.version, to: out)
    }
    appendStickyCookie(to: out)
    out.append(responseEdits.lines)
    if let hsts = strictTransportSecurity {
      out.append("Strict-Transport-Security: ")
      out.append(hsts)
      out.append("\r\n")
    }
    appendPersistence(to: out)
    out.append("\r\n")
  }

  /// Sends the final head on the client's stream.
  func sendResponseHead(on stream: HTTP2Stream, endStream: Bool) {
    guard let connection = stream.connection, stream.slot >= 0 else { return }
    let response = response
    let bytes = response.bytes
    connection.engine.encoder.begin()
    connection.engine.encoder.encode(status: sentStatus)
    var hasDate = false
    for field in responseHead.fields where isResponseFieldPassedOn(field) {
      if field.known == .date { hasDate = true }
      connection.engine.encoder.encode(field, in: bytes)
    }
    if !hasDate { data.encodeDate(with: &connection.engine.encoder) }
    if let length = contentLength { connection.engine.encoder.encode(.contentLength, decimal: length) }
    if http.addsVia {
      connection.engine.encoder.encode(.via, value: Self.via(responseHead.version).span)
    }
    if let cookie = stickyCookie { connection.engine.encoder.encode(.setCookie, value: cookie.span) }
    if let hsts = strictTransportSecurity {
      connection.engine.encoder.encode(Self.strictTransportSecurityName, value: hsts.span)
    }
    let added = responseEdits.lines
    if !added.isEmpty { encodeLines(added.bytes, connection) }
    record.sentBytes += UInt64(connection.engine.encoder.blockCount)
    connection.appendHeaders(slot: stream.slot, endStream: endStream)
    if endStream { stream.noteFinished() }
  }

  /// Sends an interim head (1xx) on the client's stream.
  func sendInterimHead(on stream: HTTP2Stream) {
    guard let connection = stream.connection, stream.slot >= 0 else { return }
    let response = response
    let bytes = response.bytes
    connection.engine.encoder.begin()
    connection.engine.encoder.encode(status: responseHead.status)
    for field in responseHead.fields where isResponseFieldPassedOn(field) {
      connection.engine.encoder.encode(field, in: bytes)
    }
    connection.appendHeaders(slot: stream.slot, endStream: false)
  }

  private static let strictTransportSecurityName = HPACKName("strict-transport-security")

  /// What `Via` says of a hop (RFC 9110 §7.6.3).
  static func via(_ version: HTTPVersion) -> [UInt8] {
    switch version {
    case .http10: via10
    case .http11: via11
    case .http2: via20
    }
  }

  /// ``via(_:)`` as a line.
  func appendVia(_ version: HTTPVersion, to out: Buffer) {
    switch version {
    case .http10: out.append("Via: 1.0 penstock\r\n")
    case .http11: out.append("Via: 1.1 penstock\r\n")
    case .http2: out.append("Via: 2.0 penstock\r\n")
    }
  }

  private static let via10 = Array("1.0 penstock".utf8)
  private static let via11 = Array("1.1 penstock".utf8)
  private static let via20 = Array("2.0 penstock".utf8)

  /// The route's, or its listener's, for responses that go by TLS.
  var strictTransportSecurity: [UInt8]? {
    guard client.isTLS, !client.isPlainOnTLS else { return nil }
    guard let route else { return client.listener.strictTransportSecurity }
    return route.strictTransportSecurity(inherited: client.listener.strictTransportSecurity)
  }

  /// Writes an interim head (1xx) to `toClient`.
  func appendInterimHead() {
    let out = toClient
    appendStatusLine(to: out)
    appendEndToEndFields(of: responseHead.fields, from: response, to: out) {
      self.isResponseFieldPassedOn($0)
    }
    out.append("\r\n")
  }

  /// The endpoint's, unless a plugin has another.
  var sentStatus: UInt16 { download.replacedStatus ?? responseHead.status }

  private func appendStatusLine(to out: Buffer) {
    // The gateway speaks for itself: its version, whatever the endpoint's (RFC 9110 §6.2).
    out.append("HTTP/1.1 ")
    out.append(decimal: UInt64(sentStatus))
    out.append(UInt8(ascii: " "))
    if let status = download.replacedStatus {
      out.append(Answer.reason(of: status))
    } else {
      out.append(response, range: responseHead.reason.range)
    }
    out.append("\r\n")
  }

  func isResponseFieldPassedOn(_ field: Field) -> Bool {
    if responseEdits.dropsAny, responseHead.status >= 200 {
      let response = response
      if responseEdits.drops(field.name, in: response.bytes) { return false }
    }
    switch field.known {
    case .other:
      // The gateway's own replaces the endpoint's: there is one place that says what browsers do.
      if field.name.count == 25, strictTransportSecurity != nil {
        let response = response
        if response.bytes.equalsIgnoringCase(field.name, lowercase: "strict-transport-security") {
          return false
        }
      }
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .contentLength, .upgrade, .te:
      return false
    default: break
    }
    if !responseHead.hasConnectionOptions { return true }
    let response = response
    return !isNamedByConnection(field, in: responseHead.fields, bytes: response.bytes)
  }

  private func appendFraming(to out: Buffer) {
    if download.framing == .chunked { return out.append("Transfer-Encoding: chunked\r\n") }
    if let length = contentLength { appendContentLength(length, to: out) }
  }

  /// The length that is announced, if there is one.
  private var contentLength: UInt64? {
    if download.hidesLength { return nil }
    switch download.framing {
    case .chunked: return nil
    case .verbatim:
      guard case .length(let length) = responseHead.framing else { return nil }
      return length
    case .none:
      // What a GET would have got (RFC 9110 §8.6); never with 1xx and 204.
      guard request.method == .head || responseHead.status == 304, responseHead.status != 204 else {
        return nil
      }
      let response = response
      for field in responseHead.fields where field.known == .contentLength {
        return response.bytes.decimal(in: field.value)
      }
      return nil
    }
  }

  private func appendContentLength(_ length: UInt64, to out: Buffer) {
    out.append("Content-Length: ")
    out.append(decimal: length)
    out.append("\r\n")
  }

  private func appendStickyCookie(to out: Buffer) {
    guard let cookie = stickyCookie else { return }
    out.append("Set-Cookie: ")
    out.append(cookie)
    out.append("\r\n")
  }

  private var stickyCookie: [UInt8]? {
    // The list may have changed since the endpoint was chosen.
    guard let service, service.endpointsRevision == endpointsRevision else { return nil }
    return service.balancer.stickyCookie(for: endpointIndex, key: balancingKey)
  }

  /// `Connection`, where the version's default is not what happens.
  func appendPersistence(to out: Buffer) {
    if !isPersistent {
      out.append("Connection: close\r\n")
    } else if request.version == .http10 {
      out.append("Connection: keep-alive\r\n")
    }
  }
}
