import COpenSSL
import Glibc
import Runtime

/// Alerts that are sent here (RFC 8446 §6).
enum Alert {
  static let closeNotify: UInt8 = 0
  static let unexpectedMessage: UInt8 = 10
  static let badRecordMAC: UInt8 = 20
  static let recordOverflow: UInt8 = 22
  static let decodeError: UInt8 = 50
  static let internalError: UInt8 = 80
  static let noRenegotiation: UInt8 = 100
}

/// What a record carries (RFC 8446 §5.1).
enum ContentType: UInt8 {
  case alert = 21
  case handshake = 22
  case applicationData = 23
}

/// The record layer of TLS 1.3, for a server's connection (RFC 8446 §5).
extension TLSSocket {
  /// Records in a row that carry no content: more is an attack.
  private static let emptyRecordsMax: UInt8 = 32
  /// Records that are sealed with one key; AES-GCM is good for 2²⁴·⁵ (RFC 8446 §5.5).
  private static let sequenceMax: UInt64 = 1 << 24
  /// Content, its type, padding and the tag (RFC 8446 §5.2).
  private static let ciphertextBytesMax = 16_384 + 256

  // MARK: Reading

  /// Appends the content of what is pending and of whole records of the input.
  func readRecords(_ tls: TLSWorker, _ buffer: Buffer, _ room: Int) -> Int {
    var count = takePending(buffer, room)
    while count < room, phase == .records, !flags.contains(.hasPeerEnded), tls.inputCount >= 5 {
      let length = Int(tls.inputByte(3)) << 8 | Int(tls.inputByte(4))
      // Nothing else is sent unprotected from here on, alerts included.
      if tls.inputByte(0) != ContentType.applicationData.rawValue {
        fail(tls, Alert.unexpectedMessage)
      } else if length > Self.ciphertextBytesMax {
        fail(tls, Alert.recordOverflow)
      } else if tls.inputCount >= 5 + length {
        count += readRecord(tls, length, buffer, room - count)
      } else {
        break
      }
    }
    return count
  }

  private func takePending(_ buffer: Buffer, _ room: Int) -> Int {
    guard let pending else { return 0 }
    let count = min(room, pending.count)
    buffer.append(pending, range: 0..<count)
    pending.consume(count)
    if pending.isEmpty { self.pending = nil }
    return count
  }

  /// Reads the record at the input's begin.
  /// - Returns: the bytes of content that were appended.
  private func readRecord(_ tls: TLSWorker, _ length: Int, _ buffer: Buffer, _ room: Int) -> Int {
    var end = open(tls, length)
    tls.dropInput(5 + length)
    if end < 0 {
      fail(tls, Alert.badRecordMAC)
      return 0
    }
    // Padding counts (RFC 8446 §5.4).
    if end > TLSWorker.contentBytesMax + 1 {
      fail(tls, Alert.recordOverflow)
      return 0
    }
    // The type is the last byte that is not padding.
    while end > 0 && tls.plaintextByte(end - 1) == 0 { end -= 1 }
    guard end > 0, let type = ContentType(rawValue: tls.plaintextByte(end - 1)) else {
      fail(tls, Alert.unexpectedMessage)
      return 0
    }
    let count = end - 1
    if messageCount > 0 && type != .handshake {
      fail(tls, Alert.unexpectedMessage)
      return 0
    }
    switch type {
    case .applicationData: return takeContent(tls, count, buffer, room)
    case .alert: readAlert(tls, count)
    case .handshake: readMessage(tls, count)
    }
    return 0
  }

  private func takeContent(_ tls: TLSWorker, _ count: Int, _ buffer: Buffer, _ room: Int) -> Int {
    if count == 0 {
      countEmptyRecord(tls)
      return 0
    }
    emptyRecords = 0
    let taken = min(count, room)
    tls.appendPlaintext(0..<taken, to: buffer)
    if taken < count {
      let rest = Buffer(capacity: count - taken)
      tls.appendPlaintext(taken..<count, to: rest)
      pending = rest
    }
    return taken
  }

  private func countEmptyRecord(_ tls: TLSWorker) {
    emptyRecords &+= 1
    if emptyRecords > Self.emptyRecordsMax { fail(tls, Alert.unexpectedMessage) }
  }

  private func readAlert(_ tls: TLSWorker, _ count: Int) {
    guard count == 2 else { return fail(tls, Alert.decodeError) }
    let alert = tls.plaintextByte(1)
    if alert == Alert.closeNotify {
      flags.insert(.hasPeerEnded)
      tls.dropInput(tls.inputCount)
    } else if alert == 90 {
      // user_canceled says that close_notify follows (RFC 8446 §6.1).
      countEmptyRecord(tls)
    } else {
      // Whatever its level: all others are fatal (RFC 8446 §6.2).
      tls.dropInput(tls.inputCount)
      end(TLSFailure(.refusedByPeer, alert: alert))
    }
  }

  /// The only message that a client may send here is KeyUpdate (RFC 8446 §4.6.3): 24, a length of 1, and
  /// whether an update of the other direction is asked for. It ends with its record (§5.1).
  private func readMessage(_ tls: TLSWorker, _ count: Int) {
    guard count > 0, Int(messageCount) + count <= 5 else { return fail(tls, Alert.unexpectedMessage) }
    for index in 0..<count { messageStart = messageStart << 8 | UInt64(tls.plaintextByte(index)) }
    messageCount += UInt8(count)
    countEmptyRecord(tls)
    guard messageCount == 5, phase == .records else { return }
    let isAskedFor = messageStart & 0xFF
    guard messageStart >> 8 == 0x1800_0001, isAskedFor <= 1 else { return fail(tls, Alert.unexpectedMessage) }
    messageStart = 0
    messageCount = 0
    update(tls, seals: false)
    // Several that ask may be answered by one.
    if isAskedFor == 1 && tls.outputCount == 0 { updateSending(tls) }
  }

  // MARK: Keys

  /// The next generation of one direction's key.
  private func update(_ tls: TLSWorker, seals: Bool) {
    tls.ciphers.release(suite: suite, seals: seals, owner: number, place: seals ? sealPlace : openPlace)
    // The keys live until the connection ends.
    if seals {
      _ = unsafe cossl_keys_update(&keys!.pointee.server, Int32(suite))
    } else {
      _ = unsafe cossl_keys_update(&keys!.pointee.client, Int32(suite))
    }
  }

  /// Says that the key changes, with the old one.
  private func updateSending(_ tls: TLSWorker) {
    let message: [UInt8] = [24, 0, 0, 1, 0]
    let isSealed = unsafe message.withUnsafeBytes {
      unsafe sealRecord(tls, .handshake, $0, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    if isSealed { update(tls, seals: true) } else { end(TLSFailure(.other)) }
  }

  // MARK: Protection

  /// Decrypts the record at the input's begin into `plaintext`.
  /// - Returns: the length of content, type and padding; negative when it is not authentic.
  private func open(_ tls: TLSWorker, _ length: Int) -> Int {
    guard let keys = unsafe keys, length >= Int(COSSL_TAG_BYTES) else { return -1 }
    // The caller has checked that the input holds the record; `plaintext` has room for any.
    return unsafe withUnsafeMutablePointer(to: &keys.pointee.client) { direction in
      guard
        let cipher = unsafe tls.ciphers.cipher(
          for: direction, suite: suite, seals: false, owner: number, place: &openPlace)
      else { return -1 }
      let input = unsafe tls.wire.pointee.in!
      let output = unsafe tls.plaintext.baseAddress!.assumingMemoryBound(to: UInt8.self)
      return unsafe cossl_open(cipher, direction, input, input + 5, length, output)
    }
  }

  /// Seals two runs of bytes as one record, at most 16,384 bytes together.
  func sealRecord(
    _ tls: TLSWorker, _ type: ContentType, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
  ) -> Bool {
    guard let keys = unsafe keys else { return false }
    if type == .applicationData, unsafe keys.pointee.server.sequence >= Self.sequenceMax {
      updateSending(tls)
      // A failure has freed the keys.
      guard phase == .records else { return false }
    }
    // The runs are read during the call, and room for the record is made.
    return unsafe withUnsafeMutablePointer(to: &keys.pointee.server) { direction in
      guard
        let cipher = unsafe tls.ciphers.cipher(
          for: direction, suite: suite, seals: true, owner: number, place: &sealPlace)
      else { return false }
      let start = unsafe first.baseAddress ?? second.baseAddress!
      return unsafe cossl_seal(
        cipher, direction, type.rawValue, start.assumingMemoryBound(to: UInt8.self), first.count,
        second.baseAddress?.assumingMemoryBound(to: UInt8.self), second.count, tls.wire) == 1
    }
  }

  func sealAlert(_ tls: TLSWorker, level: UInt8, _ alert: UInt8) {
    let content = [level, alert]
    _ = unsafe content.withUnsafeBytes {
      unsafe sealRecord(tls, .alert, $0, UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }

  /// Ends the connection because of what came, and says so to the peer.
  private func fail(_ tls: TLSWorker, _ alert: UInt8) {
    sealAlert(tls, level: 2, alert)
    tls.dropInput(tls.inputCount)
    end(TLSFailure(.malformed, alert: alert))
  }
}

extension TLSWorker {
  /// Whether the input begins with a whole record, or with what is none.
  var hasWholeRecord: Bool {
    guard inputCount >= 5 else { return false }
    return inputCount >= 5 + (Int(inputByte(3)) << 8 | Int(inputByte(4)))
  }
}
