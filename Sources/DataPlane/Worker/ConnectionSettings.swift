import HTTPCodec
import Resources
import Runtime

/// `http:` of the configuration in the form that the data path uses.
final class ConnectionSettings {
  let headNanoseconds: Int64
  let bodyNanoseconds: Int64
  let sendNanoseconds: Int64
  let idleNanoseconds: Int64
  let headLimits: HTTP1Limits
  let bodyBytesMax: UInt64?
  let requestsPerConnection: Int?
  /// This worker's share of the connection limit.
  let connectionsMax: Int
  // Plain values, not the structure that holds them: see ``ServiceSettings``.
  let addsXForwarded: Bool
  let addsForwarded: Bool
  let addsRequestID: Bool
  let addsVia: Bool
  let addsClientCertificate: Bool
  let http2: HTTP2LocalSettings
  let http2HeadLimits: HTTP2HeadLimits
  let http2AgeNanoseconds: Int64?
  let http2AgeGraceNanoseconds: Int64?
  /// This worker's share of the limit on TLS handshakes.
  let handshakesMax: Int
  // Shares of this worker, as above.
  let addressConnectionsMax: Int?
  let addressHandshakeRate: Int?
  let inFlightMax: Int
  let bufferBytesMax: Int
  /// How long a ready socket may wait; nil: no admission control.
  let admissionDelayNanoseconds: Int64?
  let bodyRate: Int?
  let responseRate: Int?
  let rateWindowNanoseconds: Int64
  private let trustedNetworks: [TrustedNetwork]

  init(_ http: HTTPSettings, workerCount: Int) {
    headNanoseconds = http.timeouts.head.inNanoseconds
    bodyNanoseconds = http.timeouts.body.inNanoseconds
    sendNanoseconds = http.timeouts.send.inNanoseconds
    idleNanoseconds = http.timeouts.idle.inNanoseconds
    headLimits = HTTP1Limits(
      targetBytes: http.limits.targetBytes, headBytes: http.limits.headBytes, fields: http.limits.fields)
    bodyBytesMax = http.limits.bodyBytes
    requestsPerConnection = http.limits.requestsPerConnection
    connectionsMax = (http.limits.connections + workerCount - 1) / workerCount
    addsXForwarded = http.forwarding.xForwarded
    addsForwarded = http.forwarding.forwarded
    addsRequestID = http.forwarding.requestID
    addsVia = http.forwarding.via
    addsClientCertificate = http.forwarding.clientCertificate
    http2 = HTTP2LocalSettings(
      headerTableBytes: http.http2.headerTableBytes, concurrentStreams: http.http2.streams,
      streamWindowBytes: http.http2.windowBytes, connectionWindowBytes: http.http2.connectionWindowBytes,
      frameBytes: http.http2.frameBytes, headBytes: http.limits.headBytes, allowsExtendedConnect: true)
    http2HeadLimits = HTTP2HeadLimits(
      targetBytes: http.limits.targetBytes, headBytes: http.limits.headBytes, fields: http.limits.fields,
      allowsExtendedConnect: true)
    http2AgeNanoseconds = http.http2.connectionAge?.inNanoseconds
    http2AgeGraceNanoseconds = http.http2.connectionAgeGrace.inNanoseconds
    func share(_ limit: Int) -> Int { (limit + workerCount - 1) / workerCount }
    handshakesMax = share(http.limits.handshakes)
    addressConnectionsMax = http.limits.connectionsPerAddress.map(share)
    addressHandshakeRate = http.limits.handshakesPerAddress.map(share)
    inFlightMax = share(http.limits.inFlight)
    bufferBytesMax = share(Int(http.limits.bufferBytes))
    admissionDelayNanoseconds = http.admission?.delay.inNanoseconds
    bodyRate = http.rates.body
    responseRate = http.rates.response
    rateWindowNanoseconds = http.rates.window.inNanoseconds
    trustedNetworks = http.forwarding.trustedNetworks.map(TrustedNetwork.init)
  }

  /// Whether forwarding fields of this peer are believed.
  func trusts(_ address: SocketAddress) -> Bool {
    for network in trustedNetworks where network.contains(address) { return true }
    return false
  }
}

/// A CIDR block as a value and a mask.
struct TrustedNetwork {
  private let value: SIMD16<UInt8>
  private let mask: SIMD16<UInt8>

  init(_ network: Network) {
    var mask = SIMD16<UInt8>(repeating: 0)
    var value = SIMD16<UInt8>(repeating: 0)
    for index in 0..<16 {
      let bits = min(max(network.prefixBits - index * 8, 0), 8)
      mask[index] = UInt8(truncatingIfNeeded: 0xff00 >> bits)
      value[index] = network.address[index]
    }
    self.mask = mask
    self.value = value & mask
  }

  func contains(_ address: SocketAddress) -> Bool { address.octets & mask == value }
}
