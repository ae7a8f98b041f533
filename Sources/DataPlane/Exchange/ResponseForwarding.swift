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
      return self.isPassedOn(field)
    }
    // RFC 9110 §6.6.1: a recipient with a clock adds the date that is missing.
    if !hasDate { data.appendDate(to: out) }
    appendFraming(to: out)
    if data.settings.addsVia {
      out.append(responseHead.version == .http11 ? "Via: 1.1 penstock\r\n" : "Via: 1.0 penstock\r\n")
    }
    appendStickyCookie(to: out)
    appendPersistence(to: out)
    out.append("\r\n")
  }

  /// Writes an interim head (1xx) to `toClient`.
  func appendInterimHead() {
    let out = toClient
    appendStatusLine(to: out)
    appendEndToEndFields(of: responseHead.fields, from: response, to: out) { self.isPassedOn($0) }
    out.append("\r\n")
  }

  private func appendStatusLine(to out: Buffer) {
    // The gateway speaks for itself: its version, whatever the endpoint's (RFC 9110 §6.2).
    out.append("HTTP/1.1 ")
    out.append(decimal: UInt64(responseHead.status))
    out.append(UInt8(ascii: " "))
    out.append(response, range: responseHead.reason.range)
    out.append("\r\n")
  }

  private func isPassedOn(_ field: Field) -> Bool {
    switch field.known {
    case .other: break
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .contentLength, .upgrade, .te:
      return false
    default: break
    }
    if !responseHead.hasConnectionOptions { return true }
    let response = response
    return !isNamedByConnection(field, in: responseHead.fields, bytes: response.bytes)
  }

  private func appendFraming(to out: Buffer) {
    switch download.framing {
    case .chunked: out.append("Transfer-Encoding: chunked\r\n")
    case .verbatim:
      if case .length(let length) = responseHead.framing { appendContentLength(length, to: out) }
    case .none:
      // What a GET would have got (RFC 9110 §8.6); never with 1xx and 204.
      guard request.method == .head || responseHead.status == 304, responseHead.status != 204 else { return }
      let response = response
      for field in responseHead.fields where field.known == .contentLength {
        if let length = response.bytes.decimal(in: field.value) { appendContentLength(length, to: out) }
        return
      }
    }
  }

  private func appendContentLength(_ length: UInt64, to out: Buffer) {
    out.append("Content-Length: ")
    out.append(decimal: length)
    out.append("\r\n")
  }

  private func appendStickyCookie(to out: Buffer) {
    // The list may have changed since the endpoint was chosen.
    guard let service, service.endpointsRevision == endpointsRevision,
      let cookie = service.balancer.stickyCookie(for: endpointIndex, key: balancingKey)
    else { return }
    out.append("Set-Cookie: ")
    out.append(cookie)
    out.append("\r\n")
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
