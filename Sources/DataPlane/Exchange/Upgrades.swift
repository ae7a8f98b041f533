import HTTPCodec
import Resources
import Runtime
import TLS

/// What a request asks its connection to become.
enum Upgrade: Equatable {
  case none
  /// `Upgrade` of HTTP/1.1 (RFC 9110 §7.8); the protocol is in `input`.
  case switching(ByteRange)
  /// HTTP/2's extended CONNECT (RFC 8441); the protocol is in `input`.
  case extendedConnect(ByteRange)
}

/// Switching protocols: what the client asks for, and what the endpoint agrees to.
extension Exchange {
  /// Finds out whether the request asks for another protocol, and whether its route allows that.
  /// - Returns: what to answer where it cannot be.
  func noteUpgrade(_ route: CompiledRoute) -> Answer? {
    if !request.upgradeProtocol.isEmpty {
      guard isAllowed(request.upgradeProtocol, route) else { return .upgradeNotSupported }
      upgrade = .extendedConnect(request.upgradeProtocol)
      // What follows the head is the tunnel's.
      request.framing = .none
      upload.isRead = true
      upload.staged = request.byteCount..<request.byteCount
    } else if request.hasConnectionOptions, request.version == .http11, let asked = askedUpgrade() {
      // A protocol that is not allowed is not mentioned to the endpoint, which answers with HTTP/1.1.
      if isAllowed(asked, route) { upgrade = .switching(asked) }
    }
    return nil
  }

  /// The only protocol of `Upgrade`, where `Connection` says that it is meant (RFC 9110 §7.8).
  private func askedUpgrade() -> ByteRange? {
    guard request.framing == .none, request.method == .get else { return nil }
    let input = input
    let bytes = input.bytes
    var asked: ByteRange?
    for field in request.fields where field.known == .upgrade {
      if asked != nil { return nil }
      asked = field.value
    }
    guard let asked, !asked.isEmpty else { return nil }
    for field in request.fields where field.known == .connection {
      var cursor = ListCursor(field.value)
      while let option = cursor.next(in: bytes) {
        if bytes.equalsIgnoringCase(option, lowercase: "upgrade") { return asked }
      }
    }
    return nil
  }

  private func isAllowed(_ name: ByteRange, _ route: CompiledRoute) -> Bool {
    let input = input
    // Copied, not used in place: the definition's texts are other threads' as well.
    return route.upgrades.contains { input.bytes.equalsIgnoringCase(name, lowercase: Array($0.utf8)) }
  }

  var upgradesToWebSocket: Bool {
    switch upgrade {
    case .none: return false
    case .switching(let name), .extendedConnect(let name):
      let input = input
      return input.bytes.equalsIgnoringCase(name, lowercase: "websocket")
    }
  }

  /// Writes the fields that ask the endpoint.
  func appendUpgrade(to out: Buffer) {
    switch upgrade {
    case .none: break
    case .switching(let name):
      out.append("Connection: upgrade\r\nUpgrade: ")
      out.append(input, range: name.range)
      out.append("\r\n")
    case .extendedConnect(let name):
      out.append("Connection: upgrade\r\nUpgrade: ")
      out.append(input, range: name.range)
      // Endpoints must have a key, which HTTP/2 does without (RFC 8441 §5): sixteen random bytes.
      out.append("\r\n")
      guard upgradesToWebSocket else { return }
      out.append("Sec-WebSocket-Key: ")
      appendKey(to: out)
      out.append("\r\n")
    }
  }

  /// Sixteen random bytes in base64 (RFC 6455 §4.1).
  private func appendKey(to out: Buffer) {
    var bytes: [UInt8] = []
    for word in [worker.random.next(), worker.random.next()] {
      for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift * 8))) }
    }
    upgradeKey = Base64.encode(bytes)
    out.append(upgradeKey)
  }

  /// Whether the endpoint has understood the key that the gateway made (RFC 6455 §4.1): one that has
  /// not does not speak WebSocket.
  private func isKeyAccepted(_ bytes: Span<UInt8>) -> Bool {
    let expected = Base64.encode(sha1(upgradeKey + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    for field in responseHead.fields
    where bytes.equalsIgnoringCase(field.name, lowercase: "sec-websocket-accept") {
      return bytes.equals(field.value, expected)
    }
    return false
  }

  // MARK: The answer

  /// The endpoint answered 101: passes it on, where it agrees to what was asked for.
  func acceptSwitch() -> Bool {
    let name: ByteRange
    switch upgrade {
    case .none: return false
    case .switching(let asked): name = asked
    case .extendedConnect(let asked): name = asked
    }
    let response = response
    let bytes = response.bytes
    let input = input
    var isAgreed = false
    for field in responseHead.fields where field.known == .upgrade {
      isAgreed = Self.equalIgnoringCase(
        bytes.extracting(field.value.range), input.bytes.extracting(name.range))
    }
    guard isAgreed else { return false }
    if client.stream != nil, upgradesToWebSocket, !isKeyAccepted(bytes) { return false }
    record.responseNanoseconds = worker.now.nanoseconds(since: attemptStart)
    download.hasSentFinalHead = true
    if let stream = client.stream {
      record.status = 200
      sendSwitchedHead(on: stream, bytes)
    } else {
      record.status = 101
      appendSwitchedHead(bytes, name)
    }
    response.consume(responseHead.byteCount)
    return true
  }

  private static func equalIgnoringCase(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
    guard one.count == other.count else { return false }
    for index in one.indices where one[index] | 0x20 != other[index] | 0x20 { return false }
    return true
  }

  private func appendSwitchedHead(_ bytes: Span<UInt8>, _ name: ByteRange) {
    let out = toClient
    out.append("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ")
    out.append(input, range: name.range)
    out.append("\r\n")
    appendEndToEndFields(of: responseHead.fields, from: response, to: out) {
      self.isResponseFieldPassedOn($0)
    }
    if data.settings.addsVia { out.append("Via: 1.1 penstock\r\n") }
    out.append("\r\n")
  }

  /// What 101 is in HTTP/1.1 is 200 on a stream (RFC 8441 §5).
  private func sendSwitchedHead(on stream: HTTP2Stream, _ bytes: Span<UInt8>) {
    guard let connection = stream.connection, stream.slot >= 0 else { return }
    connection.engine.encoder.begin()
    connection.engine.encoder.encode(status: 200)
    for field in responseHead.fields where isResponseFieldPassedOn(field) {
      if bytes.equalsIgnoringCase(field.name, lowercase: "sec-websocket-accept") { continue }
      connection.engine.encoder.encode(field, in: bytes)
    }
    if data.settings.addsVia { connection.engine.encoder.encode(.via, value: Self.via(.http11).span) }
    connection.appendHeaders(slot: stream.slot, endStream: false)
  }
}
