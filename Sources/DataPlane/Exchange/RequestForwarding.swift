import HTTPCodec
import Resources
import Runtime

/// The request as it is passed on: rebuilt from what was parsed, so that no byte of the client's
/// framing reaches an endpoint.
extension Exchange {
  /// Writes the canonical head to `toUpstream`.
  func appendRequestHead() {
    let out = toUpstream
    if case .extendedConnect = upgrade {
      // What a WebSocket handshake is in HTTP/1.1 (RFC 8441 §5).
      out.append("GET ")
    } else {
      out.append(input, range: request.methodRange.range)
      out.append(UInt8(ascii: " "))
    }
    appendTarget(to: out)
    out.append(" HTTP/1.1\r\nHost: ")
    if !rewrittenHost.isEmpty {
      out.append(rewrittenHost)
      out.append("\r\n")
    } else if !request.authority.isEmpty {
      // The authority of an absolute form replaces Host (RFC 9112 §3.2.2).
      out.append(input, range: request.authority.range)
      out.append("\r\n")
    } else {
      // HTTP/1.0 allows none, HTTP/1.1 does not: the address that the client came to (RFC 9112 §3.3).
      let local = worker.seam.localAddress(of: client.connection.socket.handle) ?? client.listener.address
      out.append(string: local.description)
      out.append("\r\n")
    }
    appendEndToEndFields(of: request.fields, from: input, to: out) { self.isPassedOn($0) }
    switch request.framing {
    case .length(let length):
      out.append("Content-Length: ")
      out.append(decimal: length)
      out.append("\r\n")
    case .chunked, .untilEndOfStream: out.append("Transfer-Encoding: chunked\r\n")
    case .none, .untilClose: break
    }
    appendUpgrade(to: out)
    // HTTP/1.0 has no interim responses (RFC 9110 §10.1.1).
    if request.expectsContinue && !upload.isRead { out.append("Expect: 100-continue\r\n") }
    appendHopLimit(to: out)
    appendForwardingFields(to: out)
    out.append("\r\n")
  }

  /// Sends the head on a stream to the endpoint.
  func sendRequestHead(on stream: HTTP2Stream) {
    guard let connection = stream.connection, stream.slot >= 0 else { return }
    let input = input
    let bytes = input.bytes
    let lines = toUpstream
    lines.removeAll()
    appendTarget(to: lines)
    connection.engine.encoder.begin()
    connection.engine.encoder.encode(method: request.method, request.methodRange, in: bytes)
    connection.engine.encoder.encode(schemeIsHTTPS: connection.isTLS)
    encodeAuthority(bytes, connection)
    connection.engine.encoder.encode(path: lines.bytes)
    for field in request.fields where isPassedOn(field) {
      connection.engine.encoder.encode(field, in: bytes)
    }
    // Servers of gRPC want it said; a side request lets trailers go.
    if client.isSide || acceptsTrailers(bytes) {
      connection.engine.encoder.encode(.te, value: Self.trailersToken.span)
    }
    switch request.framing {
    case .length(let length): connection.engine.encoder.encode(.contentLength, decimal: length)
    default: break
    }
    lines.removeAll()
    if request.expectsContinue && !upload.isRead { lines.append("expect: 100-continue\r\n") }
    appendHopLimit(to: lines)
    appendForwardingFields(to: lines)
    encodeLines(lines.bytes, connection)
    lines.removeAll()
    upload.headSent = 0
    // Chunks that came with the head are decoded behind it.
    let isWhole = upload.isRead && upload.staged.isEmpty && !upload.hasDecoded && !hasRequestTrailers
    connection.appendHeaders(slot: stream.slot, endStream: isWhole)
    if isWhole { stream.noteFinished() }
  }

  private func encodeAuthority(_ bytes: Span<UInt8>, _ connection: HTTP2Connection) {
    if !rewrittenHost.isEmpty {
      let host = rewrittenHost
      return connection.engine.encoder.encode(authority: host.span)
    }
    if !request.authority.isEmpty {
      return connection.engine.encoder.encode(authority: bytes.extracting(request.authority.range))
    }
    let local = worker.seam.localAddress(of: client.connection.socket.handle) ?? client.listener.address
    connection.engine.encoder.encode(authority: local.description.utf8.span)
  }

  private static let trailersToken = Array("trailers".utf8)

  /// Whether the client takes trailers: what `TE` says for one hop is said anew for the next.
  private func acceptsTrailers(_ bytes: Span<UInt8>) -> Bool {
    for field in request.fields where field.known == .te {
      var cursor = ListCursor(field.value)
      while let coding = cursor.next(in: bytes) {
        if bytes.equalsIgnoringCase(coding, lowercase: "trailers") { return true }
      }
    }
    return false
  }

  /// Encodes lines that the gateway wrote itself: `name: value` each.
  func encodeLines(_ lines: Span<UInt8>, _ connection: HTTP2Connection) {
    var position = 0
    while position < lines.count {
      let nameStart = position
      while lines[position] != UInt8(ascii: ":") { position &+= 1 }
      let name = ByteRange(start: nameStart, count: position &- nameStart)
      let valueStart = position &+ 2
      position = valueStart
      while lines[position] != UInt8(ascii: "\r") { position &+= 1 }
      let value = ByteRange(start: valueStart, count: position &- valueStart)
      connection.engine.encoder.encode(name: lines, name, value: lines, value)
      position &+= 2
    }
  }

  private func appendHopLimit(to out: Buffer) {
    guard let hops = forwardsLeft, hops > 0 else { return }
    out.append("Max-Forwards: ")
    out.append(decimal: hops - 1)
    out.append("\r\n")
  }

  /// How many more intermediaries an OPTIONS request may pass (RFC 9110 §7.6.2); nil where it does
  /// not say, and for other methods.
  var forwardsLeft: UInt64? {
    guard request.method == .options else { return nil }
    let input = input
    for field in request.fields where field.known == .maxForwards {
      return input.bytes.decimal(in: field.value)
    }
    return nil
  }

  func appendTarget(to out: Buffer) {
    if !rewrittenTarget.isEmpty { return out.append(rewrittenTarget) }
    if request.path.isEmpty && request.method == .options && !request.hasQuery {
      // RFC 9112 §3.2.4: the last proxy turns an absolute form without a path into an asterisk.
      out.append(UInt8(ascii: "*"))
      return
    }
    if hasNormalisedPath {
      out.append(normalisedPath)
    } else if request.path.isEmpty {
      out.append(UInt8(ascii: "/"))
    } else {
      out.append(input, range: request.path.range)
    }
    if request.hasQuery {
      out.append(UInt8(ascii: "?"))
      out.append(input, range: request.query.range)
    }
  }

  /// Whether a request's field goes on as it is; the others are left out or written anew.
  func isPassedOn(_ field: Field) -> Bool {
    if requestEdits.dropsAny, isDropped(field) { return false }
    switch field.known {
    case .other:
      // Names of the length of one that is treated here, from `te` to `transfer-encoding`; a
      // spelling that some servers read as the same field must not bring it past the rules below.
      if isReserved(field) { return false }
      if field.name.count >= 10 && field.name.count <= 17 {
        let input = input
        switch input.bytes.knownFieldSpelledWithUnderscores(field.name) {
        case .other, .userAgent, .contentType, .retryAfter, .setCookie, .maxForwards: break
        default: return false
        }
      }
    case .maxForwards: return request.method != .options
    case .host, .connection, .keepAlive, .proxyConnection, .transferEncoding, .contentLength, .te, .upgrade,
      .expect:
      return false
    case .xForwardedFor, .xForwardedHost, .xForwardedPort, .xForwardedProto:
      // Rewritten where they are on; removed from strangers where they are off.
      return !http.addsXForwarded && isPeerTrusted
    case .forwarded: return isPeerTrusted
    case .xRequestID: return !http.addsRequestID && isPeerTrusted
    default: break
    }
    if !request.hasConnectionOptions { return true }
    let input = input
    return !isNamedByConnection(field, in: request.fields, bytes: input.bytes)
  }

  @inline(__always)
  private func isDropped(_ field: Field) -> Bool {
    let input = input
    return requestEdits.drops(field.name, in: input.bytes)
  }

  func appendForwardingFields(to out: Buffer) {
    out.append(requestEdits.lines)
    if http.addsXForwarded { appendXForwarded(to: out) }
    if http.addsForwarded { appendForwarded(to: out) }
    if http.addsRequestID {
      out.append("X-Request-ID: ")
      out.append(requestID, range: 0..<requestID.count)
      out.append("\r\n")
    }
    if http.addsVia {
      appendVia(request.version, to: out)
    }
    appendClientCertificate(to: out)
  }

  /// Fields that say who the client is, and that only the gateway may write (RFC 9440 §2), and `Proxy`, which
  /// CGI programs take for their own proxy (CVE-2016-5385); no client has a use for it.
  private func isReserved(_ field: Field) -> Bool {
    if data.consumers.count > 0, isOfConsumer(field) { return true }
    switch field.name.count {
    case 5:
      let input = input
      return input.bytes.equalsIgnoringCase(field.name, lowercase: "proxy")
    case 11:
      let input = input
      return input.bytes.equalsIgnoringCase(field.name, lowercase: "client-cert")
        || input.bytes.equalsIgnoringCase(field.name, lowercase: "client_cert")
    case 17:
      let input = input
      // The gateway makes one itself.
      if case .extendedConnect = upgrade,
        input.bytes.equalsIgnoringCase(field.name, lowercase: "sec-websocket-key")
      {
        return true
      }
      return input.bytes.equalsIgnoringCase(field.name, lowercase: "client-cert-chain")
        || input.bytes.equalsIgnoringCase(field.name, lowercase: "client_cert_chain")
    default: return false
    }
  }

  /// Where there are consumers, only the gateway says which of them calls.
  private func isOfConsumer(_ field: Field) -> Bool {
    let input = input
    return ConsumerFields.isOne(field.name, in: input.bytes)
  }

  /// The certificate that the client has shown, as RFC 9440 §2.2 writes it.
  private func appendClientCertificate(to out: Buffer) {
    guard client.isTLS, http.addsClientCertificate, let certificate = client.connection.clientCertificate
    else {
      return
    }
    out.append("Client-Cert: ")
    out.append(certificate)
    out.append("\r\n")
  }

  private func appendXForwarded(to out: Buffer) {
    out.append("X-Forwarded-For: ")
    if isPeerTrusted { return appendTrustedXForwarded(to: out) }
    // The peer: nobody else was believed.
    out.append(hostOf: record.client)
    out.append(client.isTLS ? "\r\nX-Forwarded-Proto: https" : "\r\nX-Forwarded-Proto: http")
    if !request.authority.isEmpty {
      out.append("\r\nX-Forwarded-Host: ")
      out.append(input, range: request.authority.range)
    }
    out.append(client.listener.forwardedPortLine)
  }

  /// Goes on from what a trusted peer has said.
  private func appendTrustedXForwarded(to out: Buffer) {
    for field in request.fields where field.known == .xForwardedFor && !field.value.isEmpty {
      out.append(input, range: field.value.range)
      out.append(", ")
    }
    out.append(hostOf: client.peer)
    out.append("\r\nX-Forwarded-Proto: ")
    if let sent = trustedField(.xForwardedProto) {
      out.append(input, range: sent.range)
    } else {
      out.append(client.isTLS ? "https" : "http")
    }
    let host = trustedField(.xForwardedHost) ?? request.authority
    if !host.isEmpty {
      out.append("\r\nX-Forwarded-Host: ")
      out.append(input, range: host.range)
    }
    guard let port = trustedField(.xForwardedPort) else {
      return out.append(client.listener.forwardedPortLine)
    }
    out.append("\r\nX-Forwarded-Port: ")
    out.append(input, range: port.range)
    out.append("\r\n")
  }

  /// RFC 7239. Earlier elements went on as they were; this adds one.
  private func appendForwarded(to out: Buffer) {
    out.append("Forwarded: for=")
    if client.peer.isIPv4 {
      out.append(hostOf: client.peer)
    } else {
      out.append("\"[")
      out.append(hostOf: client.peer)
      out.append("]\"")
    }
    if !request.authority.isEmpty {
      // Quoted, because of a port's colon; a valid authority holds nothing that would end it.
      out.append(";host=\"")
      out.append(input, range: request.authority.range)
      out.append("\"")
    }
    out.append(client.isTLS ? ";proto=https\r\n" : ";proto=http\r\n")
  }

  // MARK: Trust

  func trustedField(_ known: KnownField) -> ByteRange? {
    guard isPeerTrusted else { return nil }
    for field in request.fields where field.known == known && !field.value.isEmpty { return field.value }
    return nil
  }

  /// The client that a trusted peer names: the last address of `X-Forwarded-For` that is not
  /// trusted itself. The peer where there is none.
  func resolveClientAddress() {
    guard isPeerTrusted else { return }
    var address = client.peer
    let input = input
    for field in request.fields.reversed() where field.known == .xForwardedFor {
      var end = field.value.end
      while end > Int(field.value.start) {
        var start = end
        while start > Int(field.value.start), input.bytes[start - 1] != UInt8(ascii: ",") { start -= 1 }
        let member = input.bytes.trimmed(ByteRange(start: start, count: end - start))
        guard let named = parseAddress(input.bytes.extracting(member.range)) else {
          record.client = address
          return
        }
        address = named
        guard http.trusts(named) else {
          record.client = address
          return
        }
        end = start - 1
      }
    }
    record.client = address
  }

  private func parseAddress(_ bytes: Span<UInt8>) -> SocketAddress? {
    guard !bytes.isEmpty, bytes.count <= 45 else { return nil }
    var text = ""
    for index in bytes.indices { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
    return SocketAddress(ip: text, port: 0)
  }

  // MARK: Request identity

  /// A trusted sender's `X-Request-ID`, or 128 random bits in hexadecimal.
  func makeRequestID() {
    requestID.removeAll()
    if let sent = trustedField(.xRequestID) {
      requestID.append(input, range: sent.range)
    } else if http.addsRequestID {
      requestID.append(sixteenHexadecimalDigitsOf: worker.random.next())
      requestID.append(sixteenHexadecimalDigitsOf: worker.random.next())
    }
  }
}

// MARK: Fields of both directions

extension Exchange {
  /// Copies the fields that `isPassedOn` says, in their order. Neighbours that are already in
  /// canonical form (`name: value`) are copied as one run.
  @inline(__always)
  func appendEndToEndFields(
    of fields: [Field], from source: Buffer, to out: Buffer, where isPassedOn: (Field) -> Bool
  ) {
    let bytes = source.bytes
    var runStart = 0
    var runEnd = 0
    for index in fields.indices {
      let field = fields[index]
      guard isPassedOn(field) else { continue }
      let isCanonical =
        Int(field.value.start) == field.name.end + 2 && bytes[field.name.end + 1] == UInt8(ascii: " ")
      let lineEnd = field.value.end + 2
      if isCanonical && isLineEnd(bytes, at: field.value.end) {
        if Int(field.name.start) != runEnd {
          if runEnd > runStart { out.append(bytes.extracting(runStart..<runEnd)) }
          runStart = Int(field.name.start)
        }
        runEnd = lineEnd
      } else {
        if runEnd > runStart { out.append(bytes.extracting(runStart..<runEnd)) }
        runStart = 0
        runEnd = 0
        out.append(bytes.extracting(field.name.range))
        out.append(": ")
        out.append(bytes.extracting(field.value.range))
        out.append("\r\n")
      }
    }
    if runEnd > runStart { out.append(bytes.extracting(runStart..<runEnd)) }
  }

  /// White space behind a value is not part of it, and is not copied.
  @inline(__always)
  private func isLineEnd(_ bytes: Span<UInt8>, at index: Int) -> Bool {
    bytes[index] == UInt8(ascii: "\r")
  }

  /// Whether `Connection` lists the field's name, so that it is for this hop only (RFC 9110 §7.6.1).
  func isNamedByConnection(_ field: Field, in fields: [Field], bytes: Span<UInt8>) -> Bool {
    for candidate in fields where candidate.known == .connection {
      var cursor = ListCursor(candidate.value)
      while let option = cursor.next(in: bytes) {
        if bytes.equalIgnoringCase(option, field.name) { return true }
      }
    }
    return false
  }
}
