import COpenSSL
import Glibc
import Runtime

/// Sending content.
///
/// What one call sends is sealed into the worker's memory, record by record, and goes out in one call of the
/// system. What that does not take is kept, and counts as sent: it is sealed, and can be sealed but once.
extension TLSSocket {
  /// Content in a record while the connection is cold. With the record's overhead it fits a packet, so that
  /// the peer can use each as it arrives instead of waiting for one that was lost.
  static let smallRecordBytes = 1_369
  /// Content that is sent as one record nevertheless: three packets of one burst.
  static let smallMessageBytes = 3 * smallRecordBytes
  /// A connection is cold until so much was sent: TCP's congestion window has opened by then.
  static let coldBytes: UInt32 = 65_536
  /// And is cold again after such a pause, when TCP begins anew as well (RFC 5681 §4.1).
  static let idleNanoseconds: Int64 = 1_000_000_000
  /// Ciphertext that is given to the system at a time: a whole buffer of the worker's pool.
  static let batchBytes = BufferPool.bufferBytes

  /// Sends two runs of bytes as if they were one; the second may be empty.
  func sendContent(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> IOResult {
    guard isEstablished else { return phase == .handshaking ? .wouldBlock : endedResult }
    if hasUnsentBytes {
      sendUnsent()
      if phase == .ended { return endedResult }
      if unsent != nil { return .wouldBlock }
    }
    let tls = self.tls!
    if worker.now.nanoseconds(since: lastSend) > Self.idleNanoseconds { sentCount = 0 }
    lastSend = worker.now
    let total = first.count + second.count
    var position = 0
    while position < total && unsent == nil || flags.contains(.isHolding) {
      takeHeld(tls)
      while position < total && tls.outputCount < Self.batchBytes {
        let count = recordBytes(total - position)
        // The slices are within the runs, which the caller keeps alive.
        guard unsafe seal(tls, first, second, position, count) else { return failSending(tls) }
        position += count
        if sentCount < Self.coldBytes { sentCount &+= UInt32(count) }
      }
      if position == total && flags.contains(.endsWithNextSend) { writeClose(tls) }
      if let error = sendOutput(tls) {
        end(TLSFailure(error))
        return .failed(error)
      }
    }
    return IOResult(code: position)
  }

  private func recordBytes(_ left: Int) -> Int {
    if sentCount >= Self.coldBytes { return min(left, TLSWorker.contentBytesMax) }
    return left <= Self.smallMessageBytes ? left : Self.smallRecordBytes
  }

  private func failSending(_ tls: TLSWorker) -> IOResult {
    tls.dropOutput()
    end(TLSFailure(.other))
    return endedResult
  }

  /// Seals `count` bytes from `position` on, of both runs taken as one.
  private func seal(
    _ tls: TLSWorker, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ position: Int,
    _ count: Int
  ) -> Bool {
    let ofFirst = first.count
    let end = position + count
    // Slicing checks against the runs' bounds.
    let head = unsafe UnsafeRawBufferPointer(rebasing: first[min(position, ofFirst)..<min(end, ofFirst)])
    let body = unsafe UnsafeRawBufferPointer(
      rebasing: second[max(position - ofFirst, 0)..<max(end - ofFirst, 0)])
    if phase == .records { return unsafe sealRecord(tls, .applicationData, head, body) }
    if unsafe body.isEmpty { return unsafe write(tls, head) }
    if unsafe head.isEmpty { return unsafe write(tls, body) }
    // OpenSSL takes one run; `plaintext` has room for a record's.
    precondition(count <= TLSWorker.contentBytesMax)
    unsafe tls.plaintext.copyMemory(from: head)
    unsafe UnsafeMutableRawBufferPointer(rebasing: tls.plaintext[head.count...]).copyMemory(from: body)
    return unsafe write(tls, UnsafeRawBufferPointer(rebasing: tls.plaintext[0..<count]))
  }

  private func write(_ tls: TLSWorker, _ bytes: UnsafeRawBufferPointer) -> Bool {
    // OpenSSL reads the bytes during the call.
    unsafe Int(cossl_write(connection!, bytes.baseAddress!, bytes.count)) == COSSL_DONE
  }

  // MARK: Output

  /// Puts tickets that wait for content before it.
  private func takeHeld(_ tls: TLSWorker) {
    guard flags.contains(.isHolding), let held = unsent else { return }
    tls.beginOutput(with: held)
    unsent = nil
    flags.remove(.isHolding)
  }

  /// Sends what was written, behind what is unsent; keeps what the system does not take.
  func sendOutput(_ tls: TLSWorker) -> SystemError? {
    let count = tls.outputCount
    if count == 0 { return nil }
    defer { tls.dropOutput() }
    if hasUnsentBytes {
      unsent = tls.keepOutput(from: 0, in: unsent)
      return nil
    }
    if flags.contains(.isHolding) {
      unsent = tls.keepOutput(from: 0, in: unsent)
      sendUnsent()
      return failure?.systemError
    }
    let result = tls.sendOutput(on: self)
    if result.isError { return result.error }
    let sent = max(0, result.bytes)
    if sent < count { unsent = tls.keepOutput(from: sent, in: nil) }
    return nil
  }

  /// Sends what the system did not take before, as far as it does now.
  func sendUnsent() {
    guard let unsent else { return }
    flags.remove(.isHolding)
    let result = unsafe unsent.withBytes { unsafe sendBytes($0) }
    if result.isError {
      self.unsent = nil
      return end(TLSFailure(result.error))
    }
    if result.bytes > 0 { unsent.consume(result.bytes) }
    guard unsent.isEmpty else { return }
    self.unsent = nil
    if flags.contains(.shutsDown) {
      flags.remove(.shutsDown)
      shutdownSocket()
    }
  }

  // MARK: close_notify

  /// Sends close_notify, unless it was sent or cannot be.
  func sayGoodbye() {
    guard isEstablished, !flags.contains(.hasSentClose), let tls else { return }
    writeClose(tls)
    if let error = sendOutput(tls) { end(TLSFailure(error)) }
  }

  private func writeClose(_ tls: TLSWorker) {
    flags.insert(.hasSentClose)
    if phase == .records {
      sealAlert(tls, level: 1, Alert.closeNotify)
    } else {
      unsafe cossl_write_close(connection!)
    }
  }
}
