import COpenSSL
import Glibc
import Runtime

/// Receiving content.
extension TLSSocket {
  /// Ciphertext that may be made by receiving, without any content: more is an attack. A reply to a
  /// KeyUpdate takes some 30 bytes.
  private static let replyBytesMax = 4_096
  /// Ciphertext that may wait for the system: what one send leaves, and replies. A peer that makes more of
  /// them than it reads is an attack.
  private static let unsentBytesMax = batchBytes + TLSWorker.recordBytesMax + replyBytesMax

  func receiveContent(into buffer: Buffer, atMost limit: Int) -> IOResult {
    if flags.contains(.hasPeerEnded) { return IOResult(code: 0) }
    let tls = self.tls!
    if buffer.room == 0 { buffer.reserve(max(1, buffer.capacity / 2)) }
    tls.beginInput(with: leftover)
    leftover = nil
    let result = receiveContent(tls, buffer, room: min(limit, buffer.room))
    if tls.outputCount > Self.replyBytesMax { endFlood(tls) }
    settle(tls, result)
    return phase == .ended && result.bytes <= 0 ? endedResult : result
  }

  private func receiveContent(_ tls: TLSWorker, _ buffer: Buffer, room: Int) -> IOResult {
    var hasReceived = false
    while true {
      let count = phase == .records ? readRecords(tls, buffer, room) : readOpenSSL(tls, buffer, room)
      if count > 0 { return IOResult(code: count) }
      if flags.contains(.hasPeerEnded) { return IOResult(code: 0) }
      if phase == .ended { return endedResult }
      // A receive that was short has drained the socket: no second one to hear so.
      if hasReceived && !readiness.contains(.readable) { return .wouldBlock }
      let result = tls.receiveInput(from: self, atMost: max(room, TLSWorker.recordBytesMax))
      if result.bytes <= 0 { return nothingReceived(result) }
      hasReceived = true
    }
  }

  private func nothingReceived(_ result: IOResult) -> IOResult {
    if result.isWouldBlock { return result }
    if result.isError {
      end(TLSFailure(result.error))
    } else {
      flags.formUnion([.hasPeerEnded, .isTruncated])
    }
    return result
  }

  /// Ends a connection whose peer makes too many replies necessary.
  private func endFlood(_ tls: TLSWorker) {
    tls.dropOutput()
    end(TLSFailure(.malformed, alert: Alert.unexpectedMessage))
  }

  /// Leaves everything as the next call expects it.
  private func settle(_ tls: TLSWorker, _ result: IOResult) {
    let hasMore = pending != nil || hasWholeInput(tls)
    leftover = tls.takeInput()
    if tls.outputCount > 0, (unsent?.count ?? 0) + tls.outputCount > Self.unsentBytesMax { endFlood(tls) }
    if tls.outputCount > 0, let error = sendOutput(tls) { end(TLSFailure(error)) }
    if result.isWouldBlock && flags.contains(.isHolding) { sendUnsent() }
    if hasMore { readiness.insert(.readable) }
    // close_notify ends content, which is heard of by receiving; the peer is not gone by that.
    if flags.contains(.hasPeerEnded) { readiness.insert(.readable) }
    if flags.contains(.isTruncated) { readiness.insert(.peerClosed) }
  }

  /// Whether the next call gives content without receiving.
  private func hasWholeInput(_ tls: TLSWorker) -> Bool {
    switch phase {
    case .openSSL: tls.inputCount > 0 || (unsafe cossl_pending(connection!) > 0)
    case .records: tls.hasWholeRecord
    default: false
    }
  }

  /// Reads what OpenSSL has, or can make of the input.
  private func readOpenSSL(_ tls: TLSWorker, _ buffer: Buffer, _ room: Int) -> Int {
    let ssl = unsafe connection!
    var count = 0
    while count < room, unsafe tls.inputCount > 0 || cossl_pending(ssl) > 0 {
      // `plaintext` has room for the content of the largest record.
      let status = unsafe cossl_read(
        ssl, tls.plaintext.baseAddress!, min(room - count, TLSWorker.contentBytesMax))
      takeSession(tls)
      if status > 0 {
        tls.appendPlaintext(0..<status, to: buffer)
        count += status
      }
      // A client could make us answer without end.
      let isRenegotiation = flags.contains(.isServer) && tls.hasRefusedRenegotiation
      if status > 0 && !isRenegotiation { continue }
      if status == COSSL_WANTS_READ && !isRenegotiation { break }
      if isRenegotiation {
        end(TLSFailure(.malformed, alert: Alert.noRenegotiation))
      } else if status == COSSL_DONE {
        flags.insert(.hasPeerEnded)
      } else {
        end(TLSFailure(tls))
      }
      tls.dropInput(tls.inputCount)
      break
    }
    return count
  }

  /// Takes what is no content, such as tickets, and says whether there was nothing else: whether an idle
  /// connection to a server may be used.
  func hasNoContent() -> Bool {
    if flags.contains(.hasPeerEnded) { return false }
    let tls = self.tls!
    tls.beginInput(with: leftover)
    leftover = nil
    if tls.inputCount == 0 {
      let result = tls.receiveInput(from: self, atMost: TLSWorker.recordBytesMax)
      if result.isWouldBlock { return true }
      if result.bytes <= 0 { _ = nothingReceived(result) }
    }
    var isQuiet = false
    if tls.inputCount > 0 {
      switch unsafe Int(cossl_peek(connection!)) {
      case COSSL_WANTS_READ: isQuiet = true
      case COSSL_DONE: flags.insert(.hasPeerEnded)
      case 1: break
      default: end(TLSFailure(tls))
      }
      takeSession(tls)
    }
    settle(tls, IOResult(code: 0))
    return isQuiet && !readiness.contains(.peerClosed)
  }
}
