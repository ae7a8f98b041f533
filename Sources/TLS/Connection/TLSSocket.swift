import COpenSSL
import Glibc
import Runtime

/// How far a handshake got without waiting.
public enum HandshakeStep: Equatable, Sendable {
  case done
  /// Call again when the socket is readable, or closed by the peer.
  case wantsRead
  /// Call again when the socket is writable, or readable.
  case wantsWrite
  case failed(TLSFailure)
}

/// A socket that begins plain and may become TLS, in either role. Used like any socket once the handshake
/// is done; see ``Transport`` for what readiness means.
///
/// Readable means that content may be had: from what was received already, or from the system. Writable is
/// withheld while ciphertext waits for the system to take it (``hasUnsentBytes``).
///
/// The handshake is OpenSSL's, and with TLS 1.2 and as the client so is what follows. A server's connection
/// of TLS 1.3 leaves OpenSSL when its handshake is done: what it needs from then on is two keys of AEAD and
/// the rules of RFC 8446 §5. An idle connection has 0.7 KB of memory that way, and 13 KB in OpenSSL.
///
/// `@safe`: the pointers are this object's alone, and are freed once, in `release()`.
@safe
public final class TLSSocket: Socket {
  enum Phase: UInt8 {
    case plain, handshaking
    /// Established, with content that passes through OpenSSL.
    case openSSL
    /// Established, with records that are made here.
    case records
    /// Failed: nothing moves any more.
    case ended
  }

  struct Flags: OptionSet {
    let rawValue: UInt16

    static let isServer = Flags(rawValue: 1)
    /// Something was received, or asked for, since TLS was started.
    static let hasBegun = Flags(rawValue: 2)
    /// The unsent bytes are session tickets, which wait for the first content.
    static let isHolding = Flags(rawValue: 4)
    /// close_notify is sent, or waits to be.
    static let hasSentClose = Flags(rawValue: 8)
    /// The peer will send no more.
    static let hasPeerEnded = Flags(rawValue: 16)
    /// It ended without close_notify.
    static let isTruncated = Flags(rawValue: 32)
    static let endsWithNextSend = Flags(rawValue: 64)
    /// To be shut down when what is unsent has gone.
    static let shutsDown = Flags(rawValue: 128)
    static let isResumed = Flags(rawValue: 256)
  }

  /// What a client's connection needs to know of itself.
  final class ClientRole {
    let context: TLSClientContext
    let sessionKey: TLSClientContext.SessionKey

    init(_ context: TLSClientContext, _ sessionKey: TLSClientContext.SessionKey) {
      self.context = context
      self.sessionKey = sessionKey
    }
  }

  var phase = Phase.plain
  var flags: Flags = []
  private var negotiated: ApplicationProtocol?
  /// The protocol's number (RFC 8446 §B.4).
  var suite: UInt16 = 0
  var openPlace: UInt16 = 0
  var sealPlace: UInt16 = 0
  /// Records without content since the last with some.
  var emptyRecords: UInt8 = 0
  /// The beginning of a handshake message: up to five bytes, the first in the highest of them.
  var messageStart: UInt64 = 0
  var messageCount: UInt8 = 0
  /// Bytes of content since the connection was idle, as far as they matter.
  var sentCount: UInt32 = 0
  var lastSend = MonotonicTime(nanoseconds: 0)
  var number: UInt64 = 0
  var tls: TLSWorker?
  private(set) var server: TLSServerContext?
  private(set) var client: ClientRole?
  /// OpenSSL's connection; nil before the first byte came, and where records are made here.
  @unsafe var connection: OpaquePointer?
  @unsafe var keys: UnsafeMutablePointer<cossl_keys>?
  /// Ciphertext that was received and not read; in the plain phase, bytes that were taken for TLS.
  var leftover: Buffer?
  /// Content that was decrypted and not taken.
  var pending: Buffer?
  /// Ciphertext that the system did not take.
  var unsent: Buffer?
  var serverNameBytes: [UInt8] = []
  /// What the server presents, or would if the session were not resumed.
  public internal(set) var certificate: TLSCertificate?
  /// The peer's certificate, verified; `nil` where it sent none. After the handshake.
  public internal(set) var peerIdentity: PeerIdentity?
  /// What ended the connection; receiving and sending answer with an error then.
  public internal(set) var failure: TLSFailure?

  // MARK: Beginning

  /// Begins TLS as the server. The socket must be plain.
  ///
  /// - Parameter early: ciphertext that was received already, such as behind a PROXY header; copied.
  public func startServer(_ context: TLSServerContext, early: Buffer? = nil) {
    precondition(phase == .plain && isOpen)
    server = context
    tls = context.tls
    flags = .isServer
    phase = .handshaking
    if let early, !early.isEmpty {
      // More than a ClientHello and all that can stand behind it.
      if early.count > TLSWorker.receivedBytes { return end(TLSFailure(.malformed)) }
      let copy = Buffer(capacity: early.count)
      copy.append(early, range: 0..<early.count)
      leftover = copy
    }
  }

  /// Begins TLS as the client. The socket must be plain and connected.
  ///
  /// - Parameters:
  ///   - serverName: what is asked for by SNI and verified; an address is verified only. `nil` or empty:
  ///     none is asked for, and none verified unless the options name one.
  ///   - endpoint: the last session with it, for the same name, is resumed where there is one.
  public func startClient(_ context: TLSClientContext, serverName: String?, endpoint: SocketAddress) {
    precondition(phase == .plain && isOpen)
    client = ClientRole(context, TLSClientContext.SessionKey(name: serverName ?? "", endpoint: endpoint))
    tls = context.tls
    flags = []
    phase = .handshaking
  }

  /// Goes as far as it can without waiting. After `.failed`, close: an alert was sent where one is due.
  ///
  /// The first call asks the system for bytes, whether or not any were reported.
  public func handshake() -> HandshakeStep {
    switch phase {
    case .handshaking: proceed()
    case .openSSL, .records: .done
    case .plain, .ended: .failed(failure ?? TLSFailure(.other))
    }
  }

  // MARK: What it is

  /// TLS was started, whether or not the handshake is done.
  public var isTLS: Bool { phase != .plain }

  public var isEstablished: Bool { phase == .openSSL || phase == .records }

  /// The peer's bytes ended without close_notify: content that ends with the connection may be cut short
  /// (RFC 9112 §9.8).
  public var isTruncated: Bool { flags.contains(.isTruncated) }

  /// Set before the last send: close_notify then goes with its bytes, in one call of the system.
  public var isEndingWithNextSend: Bool {
    get { flags.contains(.endsWithNextSend) }
    set { if newValue { flags.insert(.endsWithNextSend) } else { flags.remove(.endsWithNextSend) } }
  }

  /// After the handshake; `nil` where none was agreed on.
  public var applicationProtocol: ApplicationProtocol? { negotiated }

  /// After the handshake.
  public var version: TLSVersion { suite >> 8 == 0x13 ? .tls13 : .tls12 }

  /// As OpenSSL calls it, for example `TLS_AES_128_GCM_SHA256`. After the handshake.
  public var cipherName: StaticString { CipherSuite.name(suite) }

  public var isResumed: Bool { flags.contains(.isResumed) }

  /// The host that the client asked for by SNI, in lower case; empty where it named none.
  public var serverName: String { String(decoding: serverNameBytes, as: UTF8.self) }

  /// Whether a request for `host` (without port, of any case) may be served on this connection: it would
  /// be shown the same certificate, or has none. If not, the answer is 421 (RFC 9110 §15.5.20), also where
  /// the connection's certificate has a wildcard for the host, but the host has one of its own.
  public func covers(host: Span<UInt8>) -> Bool {
    guard let certificate, let server else { return true }
    return server.covers(host, certificate, serverName: serverNameBytes)
  }

  func setNegotiated(_ proto: ApplicationProtocol?) { negotiated = proto }

  // MARK: As a transport

  override public func receive(into buffer: Buffer, atMost limit: Int = .max) -> IOResult {
    // An answer of 0 would be the end.
    guard limit > 0 else { return .wouldBlock }
    return switch phase {
    case .records, .openSSL: receiveContent(into: buffer, atMost: limit)
    case .plain:
      if leftover == nil { super.receive(into: buffer, atMost: limit) } else { giveLeftover(buffer, limit) }
    case .handshaking: .wouldBlock
    case .ended: endedResult
    }
  }

  override public func send(_ buffer: Buffer) -> IOResult {
    if phase == .plain { return super.send(buffer) }
    // The pointers do not leave the call.
    return unsafe buffer.withBytes { unsafe sendContent($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
  }

  override public func send(_ buffer: Buffer, range: Range<Int>) -> IOResult {
    if phase == .plain { return super.send(buffer, range: range) }
    // The pointers do not leave the call; the slice is checked against the buffer's bytes.
    return unsafe buffer.withBytes {
      unsafe sendContent(
        UnsafeRawBufferPointer(rebasing: $0[range]), UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }

  override public func send(_ first: Buffer, _ second: Buffer, range: Range<Int>) -> IOResult {
    if phase == .plain { return super.send(first, second, range: range) }
    // The pointers do not leave the calls; the slice is checked against the buffer's bytes.
    return unsafe first.withBytes { head in
      unsafe second.withBytes { body in
        unsafe sendContent(head, UnsafeRawBufferPointer(rebasing: body[range]))
      }
    }
  }

  override public var hasUnsentBytes: Bool { unsent != nil && !flags.contains(.isHolding) }

  override public func isQuiet() -> Bool {
    if phase != .openSSL || flags.contains(.isServer) { return super.isQuiet() }
    return hasNoContent()
  }

  override public func tellWatcher() {
    if unsent != nil && readiness.contains(.writable) && !flags.contains(.isHolding) { sendUnsent() }
    super.tellWatcher()
  }

  override public func shutdownSending() {
    sayGoodbye()
    if unsent == nil { super.shutdownSending() } else { flags.insert(.shutsDown) }
  }

  /// Closes. What is unsent is lost; see ``hasUnsentBytes``.
  override public func close(reset: Bool = false) {
    guard isOpen else { return }
    if !reset { sayGoodbye() }
    // A last attempt, since what was sealed cannot be sealed again.
    if !reset && unsent != nil { sendUnsent() }
    release()
    super.close(reset: reset)
  }

  func shutdownSocket() { super.shutdownSending() }

  // MARK: The end

  /// What a receive answers after a failure.
  var endedResult: IOResult { .failed(failure?.systemError ?? SystemError(EPROTO)) }

  /// Nothing moves any more. Whoever waits is to call, and to be told.
  func end(_ reason: TLSFailure) {
    failure = failure ?? reason
    phase = .ended
    readiness.formUnion([.readable, .peerClosed])
    releaseKeys()
  }

  private func release() {
    releaseKeys()
    // Freed once: the pointer is forgotten.
    if let old = unsafe connection { unsafe cossl_free(old) }
    unsafe connection = nil
    if phase != .plain { phase = .ended }
    flags.remove(.isHolding)
    leftover = nil
    pending = nil
    unsent = nil
    peerIdentity = nil
  }

  func releaseKeys() {
    guard let old = unsafe keys else { return }
    if number != 0, let tls {
      tls.ciphers.release(suite: suite, seals: false, owner: number, place: openPlace)
      tls.ciphers.release(suite: suite, seals: true, owner: number, place: sealPlace)
    }
    unsafe cossl_keys_free(old)
    unsafe keys = nil
  }

  /// Gives bytes that were taken for TLS and are not.
  private func giveLeftover(_ buffer: Buffer, _ limit: Int) -> IOResult {
    guard let leftover else { return .wouldBlock }
    if buffer.room == 0 { buffer.reserve(leftover.count) }
    let count = min(limit, buffer.room, leftover.count)
    buffer.append(leftover, range: 0..<count)
    leftover.consume(count)
    if leftover.isEmpty { self.leftover = nil } else { readiness.insert(.readable) }
    return IOResult(code: count)
  }
}
