import Runtime

/// Reads along on every connection of a ``World``, and judges what the gateway sends with the strict
/// readers: that it keeps to the rules, and that its messages are those that were sent, with the same
/// boundaries.
final class WireWatch: NetworkObserver {
  private final class Wire {
    /// The gateway has connected to an origin, and not a client to the gateway.
    let isUpstream: Bool
    var requests = StrictHTTP1Reader(readsRequests: true)
    var responses = StrictHTTP1Reader(readsRequests: false)
    /// The requests that were not answered, as the client sent them.
    var asked: [StrictHTTP1Message] = []
    var http2: StrictHTTP2?
    /// The first bytes that a client sent, while it is not known what it speaks.
    var undecided: [UInt8] = []
    var isDecided = false
    /// The peer sends what cannot be read: what is behind it is not looked at.
    var peerIsBroken = false
    /// The gateway's messages cannot be followed any more.
    var isLost = false
    /// The gateway has refused what it could not read, and must say no more.
    var hasRefused = false

    init(isUpstream: Bool) { self.isUpstream = isUpstream }
  }

  private let ledger: WorldLedger
  private let gateway: SocketAddress
  private let http2Origins: Set<SIMD16<UInt8>>
  private var wires: [Int: Wire] = [:]
  private static let preface = Array("PRI * HTTP/2.0".utf8)
  /// Messages of the gateway that were read, and found to be right.
  private(set) var messageCount = 0

  init(ledger: WorldLedger, gateway: SocketAddress, http2Origins: [SocketAddress]) {
    self.ledger = ledger
    self.gateway = gateway
    self.http2Origins = Set(http2Origins.map(\.octets))
  }

  // MARK: What happens

  func connected(_ connection: Int, from: SocketAddress, to: SocketAddress) {
    let wire = Wire(isUpstream: to.octets != gateway.octets)
    if wire.isUpstream, http2Origins.contains(to.octets) { wire.http2 = StrictHTTP2(judgesClient: true) }
    wires[connection] = wire
  }

  func arrived(_ connection: Int, atServer: Bool, _ bytes: [UInt8]) {
    guard let wire = wires[connection], !wire.isLost else { return }
    do throws(StrictFault) {
      if atServer != wire.isUpstream {
        try peerSent(bytes, wire)
      } else {
        try gatewaySent(bytes, wire, connection)
      }
    } catch {
      wire.isLost = true
      ledger.violate("the gateway sent what breaks a rule: \(error)", [connection])
    }
  }

  func ended(_ connection: Int, atServer: Bool, byReset: Bool) {
    guard let wire = wires[connection], !wire.isLost, !byReset, wire.http2 == nil else { return }
    // A request that is cut short is seen by the origin; a response is, where its end was announced.
    guard !wire.isUpstream, !atServer, case .message(let message)? = wire.responses.end() else { return }
    answered(message, wire, connection)
  }

  // MARK: The peer's direction

  private func peerSent(_ bytes: [UInt8], _ wire: Wire) throws(StrictFault) {
    if wire.http2 != nil {
      wire.http2?.takeFromOther(bytes)
      return
    }
    if wire.peerIsBroken { return }
    if wire.isUpstream { return originSent(bytes, wire) }
    if let known = decide(bytes, wire) { clientSent(known, wire) }
  }

  /// What a client's connection speaks is known by its first bytes; nil as long as it is not.
  private func decide(_ bytes: [UInt8], _ wire: Wire) -> [UInt8]? {
    if wire.isDecided { return bytes }
    wire.undecided += bytes
    let count = min(wire.undecided.count, Self.preface.count)
    let isPreface = wire.undecided.prefix(count) == Self.preface.prefix(count)
    if isPreface && count < Self.preface.count { return nil }
    wire.isDecided = true
    defer { wire.undecided = [] }
    if !isPreface { return wire.undecided }
    wire.http2 = StrictHTTP2(judgesClient: false)
    wire.http2?.takeFromOther(wire.undecided)
    return nil
  }

  private func clientSent(_ bytes: [UInt8], _ wire: Wire) {
    wire.requests.append(bytes)
    do throws(StrictFault) {
      try readClient(wire)
    } catch {
      wire.peerIsBroken = true
    }
  }

  private func readClient(_ wire: Wire) throws(StrictFault) {
    while let event = try wire.requests.next() {
      guard case .head(let head) = event else { continue }
      wire.asked.append(head)
      wire.responses.expected.append(head.start[0])
    }
  }

  /// Only whether it switches protocols is of interest here.
  private func originSent(_ bytes: [UInt8], _ wire: Wire) {
    wire.responses.append(bytes)
    do throws(StrictFault) {
      while let event = try wire.responses.next() {
        guard case .head(let head) = event, head.status == 101 || head.status >= 200 else { continue }
        if head.status == 101, wire.requests.isHeld {
          wire.requests.becomesRaw()
          wire.responses.becomesRaw()
        }
        wire.requests.isHeld = false
      }
    } catch {
      wire.peerIsBroken = true
    }
  }

  // MARK: The gateway's direction

  private func gatewaySent(_ bytes: [UInt8], _ wire: Wire, _ connection: Int) throws(StrictFault) {
    if wire.http2 != nil {
      try wire.http2?.takeFromJudged(bytes)
    } else if wire.isUpstream {
      wire.requests.append(bytes)
      while let event = try wire.requests.next() {
        switch event {
        case .head(let head): wire.responses.expected.append(head.start[0])
        case .message(let message): forwarded(message, connection)
        }
      }
    } else {
      wire.responses.append(bytes)
      while let event = try wire.responses.next() {
        guard case .message(let message) = event else { continue }
        if message.status < 200, message.status != 101 { continue }
        answered(message, wire, connection)
      }
    }
  }

  /// A whole request has come to an origin.
  private func forwarded(_ message: StrictHTTP1Message, _ connection: Int) {
    messageCount += 1
    // What a service is asked says in a field which request it is about; the service looks at that.
    if message.start[1] == WorldPlugins.question { return }
    guard let request = ledger.request(WorldRequest.number(inTarget: message.start[1])) else {
      return ledger.violate("an origin got a request that nobody sent: \(message.start)", [connection])
    }
    if message.start[1] != request.target || message.values(of: "host") != [request.place.host] {
      ledger.violate("request \(request.number) was forwarded to \(message.start[1])", [connection])
    }
    let isBare = message.values(of: "x-copy") == [WorldPlugins.bareCopy]
    if let difference = difference(message.content, isBare ? [] : request.content) {
      ledger.violate(
        "the content of request \(request.number) on the wire to its origin is not what was sent: "
          + difference, [connection, request.wire])
    }
  }

  /// A whole response has come to a client.
  private func answered(_ message: StrictHTTP1Message, _ wire: Wire, _ connection: Int) {
    messageCount += 1
    guard !wire.asked.isEmpty else { return answeredUnasked(message, wire, connection) }
    let asked = wire.asked.removeFirst()
    if asked.asksToUpgrade {
      if message.status == 101 {
        wire.requests.becomesRaw()
        wire.responses.becomesRaw()
        return
      }
      wire.requests.isHeld = false
      do throws(StrictFault) { try readClient(wire) } catch { wire.peerIsBroken = true }
    }
    guard message.status == 200, !asked.asksToUpgrade,
      asked.values(of: "content-type") != ["application/grpc"],
      let request = ledger.request(WorldRequest.number(inTarget: asked.start[1]))
    else { return }
    if let difference = ledger.flaw(ofResponse: message.content, to: request) {
      ledger.violate(
        "the response to request \(request.number) on the wire to its client is not what was sent: "
          + difference, [connection])
    }
  }

  /// The refusal of a request whose head is malformed, or did not come in time.
  private func answeredUnasked(_ message: StrictHTTP1Message, _ wire: Wire, _ connection: Int) {
    let isRefusal = (400..<506).contains(message.status) && message.values(of: "connection") == ["close"]
    let wasAsked = wire.peerIsBroken || wire.requests.isInMessage || !wire.undecided.isEmpty
    if !isRefusal || !wasAsked || wire.hasRefused {
      ledger.violate("a response \(message.status) that answers nothing", [connection])
    }
    wire.hasRefused = true
  }

  // MARK: HTTP/2

  /// What the gateway sent as content of a stream; nil where nothing is known of it.
  func content(of stream: UInt32, on connection: Int) -> StrictHTTP2.Content? {
    wires[connection]?.http2?.content(of: stream)
  }
}
