import COpenSSL
import Glibc
import Runtime

/// The handshake: OpenSSL is called until it needs what is not there.
extension TLSSocket {
  func proceed() -> HandshakeStep {
    let tls = self.tls!
    tls.beginInput(with: leftover)
    leftover = nil
    let step = proceed(tls)
    // What came behind the handshake, or is not TLS at all.
    leftover = tls.takeInput()
    if leftover != nil { readiness.insert(.readable) }
    return step
  }

  private func proceed(_ tls: TLSWorker) -> HandshakeStep {
    if unsafe connection == nil, let step = begin(tls) { return step }
    while true {
      switch Int(advance(tls)) {
      case COSSL_DONE:
        finish(tls)
        return phase == .ended ? .failed(failure ?? TLSFailure(.other)) : .done
      case COSSL_WANTS_READ:
        if let step = receiveMore(tls) { return step }
      case COSSL_WANTS_HELLO: considerHello(tls)
      case COSSL_WANTS_CERTIFICATE: presentCertificate(tls)
      default: return fail(refusal(tls), tls)
      }
    }
  }

  // MARK: The first bytes

  /// Makes OpenSSL's connection; a server's not before something came, since many connect and say nothing.
  /// - Returns: a step when it cannot go on.
  private func begin(_ tls: TLSWorker) -> HandshakeStep? {
    if flags.contains(.isServer) {
      if tls.inputCount == 0 {
        let mayReceive = readiness.contains(.readable) || !flags.contains(.hasBegun)
        flags.insert(.hasBegun)
        if !mayReceive { return .wantsRead }
        if let step = receive(tls) { return step }
      }
      if let failure = Self.failure(firstByte: tls.inputByte(0)) { return fail(failure, tls) }
      unsafe connection = server!.makeConnection()
      // Where traffic secrets are put; freed with the connection at the latest.
      unsafe keys = cossl_keys_new()
    } else {
      unsafe connection = client!.context.makeConnection(client!.sessionKey)
    }
    return unsafe connection == nil ? fail(TLSFailure(.other), tls) : nil
  }

  /// A record of TLS begins with its type, 22 for a ClientHello; a request with its method, in letters.
  private static func failure(firstByte: UInt8) -> TLSFailure? {
    switch firstByte {
    case 22: nil
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): TLSFailure(.plainHTTP)
    default: TLSFailure(.malformed)
    }
  }

  private func receiveMore(_ tls: TLSWorker) -> HandshakeStep? {
    readiness.contains(.readable) ? receive(tls) : (hasUnsentBytes ? .wantsWrite : .wantsRead)
  }

  /// - Returns: a step when nothing came.
  private func receive(_ tls: TLSWorker) -> HandshakeStep? {
    let result = tls.receiveInput(from: self, atMost: TLSWorker.recordBytesMax)
    if result.bytes > 0 { return nil }
    if result.isWouldBlock { return hasUnsentBytes ? .wantsWrite : .wantsRead }
    return fail(result.isError ? TLSFailure(result.error) : TLSFailure(.closed), tls)
  }

  // MARK: OpenSSL

  /// One call of OpenSSL; what it wrote is sent, but for what it wrote last.
  private func advance(_ tls: TLSWorker) -> Int32 {
    // The wire takes this connection's decisions and secrets during the call.
    unsafe tls.wire.pointee.hello = decision(flags.contains(.hasDecidedHello))
    unsafe tls.wire.pointee.certificate = decision(flags.contains(.hasDecidedCertificate))
    if flags.contains(.isRefused) { unsafe tls.wire.pointee.hello = UInt8(COSSL_REFUSED) }
    if flags.contains(.hasNoCertificate) { unsafe tls.wire.pointee.certificate = UInt8(COSSL_REFUSED) }
    unsafe tls.wire.pointee.keys = keys
    let status = unsafe cossl_handshake(connection!)
    unsafe tls.wire.pointee.keys = nil
    takeSession(tls)
    if Int(status) != COSSL_DONE, let error = sendOutput(tls) {
      failure = TLSFailure(error)
      return Int32(COSSL_FAILED)
    }
    return status
  }

  private func decision(_ isMade: Bool) -> UInt8 { UInt8(isMade ? COSSL_ACCEPTED : COSSL_UNDECIDED) }

  /// Keeps a session that the server gave.
  func takeSession(_ tls: TLSWorker) {
    guard let session = unsafe tls.wire.pointee.new_session else { return }
    // The wire's reference is taken over.
    unsafe tls.wire.pointee.new_session = nil
    if let client {
      unsafe client.context.keep(session, for: client.sessionKey)
    } else {
      unsafe cossl_session_free(session)
    }
  }

  // MARK: The certificate

  /// Finds the certificate for what the client asks for.
  private func considerHello(_ tls: TLSWorker) {
    flags.insert(.hasDecidedHello)
    guard let server, let hello = unsafe connection else { return }
    serverNameBytes = ClientOffer.serverName(unsafe Self.hello(hello, ClientOffer.Extension.serverName))
    var ciphers: UnsafePointer<UInt8>?
    let cipherCount = unsafe cossl_hello_ciphers(hello, &ciphers)
    // What the ClientHello holds stays where it is until the handshake goes on.
    let offer = unsafe ClientOffer(
      versions: Self.hello(hello, ClientOffer.Extension.supportedVersions),
      signatureAlgorithms: Self.hello(hello, ClientOffer.Extension.signatureAlgorithms),
      groups: Self.hello(hello, ClientOffer.Extension.supportedGroups),
      ciphers: Span(_unsafeStart: ciphers ?? UnsafePointer(tls.wire.pointee.out), count: cipherCount))
    certificate = offer.choose(from: server.candidates(for: serverNameBytes))
    if certificate == nil { flags.insert(.isRefused) }
  }

  /// An extension's content, empty where it is missing.
  @unsafe
  @_lifetime(borrow hello)
  private static func hello(_ hello: OpaquePointer, _ type: UInt32) -> Span<UInt8> {
    var bytes: UnsafePointer<UInt8>?
    var count = 0
    guard unsafe cossl_hello_extension(hello, type, &bytes, &count) == 1, let start = unsafe bytes else {
      return Span()
    }
    // The ClientHello's memory; the caller uses it before the handshake goes on.
    return unsafe _overrideLifetime(Span(_unsafeStart: start, count: count), borrowing: hello)
  }

  private func presentCertificate(_ tls: TLSWorker) {
    flags.insert(.hasDecidedCertificate)
    guard let certificate, let parsed = tls.certificates.parsed(certificate) else {
      flags.insert(.hasNoCertificate)
      return
    }
    let archive = certificate.archive
    let response = archive.ocsp
    // OpenSSL takes references of its own, and copies the response.
    let isTaken =
      // Clients refuse a response that has expired, and do without one.
      if response.isEmpty || Int64(time(nil)) >= archive.ocspNotAfter {
        unsafe cossl_use_certificate(connection!, parsed.pointer, nil, 0)
      } else {
        unsafe response.withUnsafeBufferPointer { response in
          unsafe cossl_use_certificate(connection!, parsed.pointer, response.baseAddress, response.count)
        }
      }
    if isTaken != 1 { flags.insert(.hasNoCertificate) }
  }

  // MARK: The end of the handshake

  private func finish(_ tls: TLSWorker) {
    let ssl = unsafe connection!
    suite = unsafe UInt16(truncatingIfNeeded: cossl_cipher(ssl))
    var name: UnsafePointer<UInt8>?
    let nameCount = unsafe cossl_alpn(ssl, &name)
    // The name lives as long as the connection; it is compared here.
    if let name = unsafe name {
      setNegotiated(unsafe ApplicationProtocol(Span(_unsafeStart: name, count: nameCount)))
    }
    if unsafe cossl_is_resumed(ssl) == 1 { flags.insert(.isResumed) }
    if client != nil || server?.verifiesClients == true, let peer = unsafe cossl_peer_certificate(ssl) {
      // The reference is taken over.
      peerIdentity = unsafe PeerIdentity(
        X509Certificate(peer, isOwner: true), verdict: cossl_verify_result(ssl))
    }
    flags.subtract([.hasDecidedHello, .hasDecidedCertificate])
    if flags.contains(.isServer) {
      unsafe leaveOpenSSL(tls, ssl)
      // A client whose request has come will have the ticket with the response; one that waits gets it now.
      if tls.inputCount > 0 { return hold(tls) }
    } else {
      phase = .openSSL
      if let client, let session = unsafe cossl_renewed_session(ssl) {
        unsafe client.context.keep(session, for: client.sessionKey)
      }
    }
    if let error = sendOutput(tls) { end(TLSFailure(error)) }
  }

  /// Goes on without OpenSSL where that is possible.
  @unsafe
  private func leaveOpenSSL(_ tls: TLSWorker, _ ssl: OpaquePointer) {
    if version == .tls13, unsafe cossl_has_input(ssl) == 0, let keys = unsafe keys,
      unsafe cossl_keys_derive(keys, Int32(suite)) == 1
    {
      // The tickets are the first records that were sealed with these keys.
      unsafe keys.pointee.server.sequence = UInt64(tls.countOutputRecords())
      unsafe cossl_free(ssl)
      unsafe connection = nil
      number = tls.takeNumber()
      phase = .records
    } else {
      releaseKeys()
      unsafe cossl_handshake_ended(ssl)
      phase = .openSSL
    }
  }

  private func hold(_ tls: TLSWorker) {
    if unsent == nil && tls.outputCount > 0 { flags.insert(.isHolding) }
    if tls.outputCount > 0 { unsent = tls.keepOutput(from: 0, in: unsent) }
    tls.dropOutput()
  }

  // MARK: Failures

  private func refusal(_ tls: TLSWorker) -> TLSFailure {
    if let failure { return failure }
    var failure = TLSFailure(tls)
    if flags.contains(.hasNoCertificate) { failure.kind = .unusableCertificate }
    return failure
  }

  private func fail(_ reason: TLSFailure, _ tls: TLSWorker) -> HandshakeStep {
    tls.dropOutput()
    failure = reason
    if reason.kind == .plainHTTP {
      phase = .plain
      releaseKeys()
      return .failed(reason)
    }
    tls.dropInput(tls.inputCount)
    end(reason)
    return .failed(reason)
  }
}

extension TLSSocket.Flags {
  static let hasDecidedHello = Self(rawValue: 512)
  static let hasDecidedCertificate = Self(rawValue: 1_024)
  /// No certificate is for the host.
  static let isRefused = Self(rawValue: 2_048)
  /// OpenSSL cannot use the one that there is.
  static let hasNoCertificate = Self(rawValue: 4_096)
}
