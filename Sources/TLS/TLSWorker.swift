import COpenSSL
import Runtime

/// What all TLS of one worker shares: memory for ciphertext and plaintext under way, certificates in
/// parsed form, and ciphers. One per worker, made and used on its thread.
///
/// A connection uses the memory during a call only. What is left when the call ends is copied into a
/// buffer of its own, so that an idle connection has none.
///
/// `@safe`: the blocks live as long as the object, and are reached through functions that check every
/// count against their sizes.
@safe
public final class TLSWorker {
  /// The largest record: header, content, and what RFC 8446 §5.2 and RFC 5246 §6.2.3 allow around it.
  static let recordBytesMax = 5 + 16_384 + 2_048
  /// Content of the largest record.
  static let contentBytesMax = 16_384
  /// Ciphertext that is received at once: a whole buffer of the worker's pool, in records, behind the
  /// beginning of a record that came before.
  static let receivedBytes = BufferPool.bufferBytes + 2 * recordBytesMax

  public let worker: Worker
  let certificates = ParsedCertificates()
  let ciphers = CipherPools()
  @unsafe let wire: UnsafeMutablePointer<cossl_wire>
  /// Ciphertext; the wire's `in` points into it.
  @unsafe let received: UnsafeMutableRawBufferPointer
  /// One record's content.
  @unsafe let plaintext: UnsafeMutableRawBufferPointer
  /// Connections so far; a connection's number tells whose key a cipher has.
  private var lastNumber: UInt64 = 0

  public init(on worker: Worker) {
    self.worker = worker
    unsafe wire = cossl_wire_new(BufferPool.bufferBytes + Self.recordBytesMax)
    unsafe received = .allocate(byteCount: Self.receivedBytes, alignment: 16)
    unsafe plaintext = .allocate(byteCount: Self.recordBytesMax, alignment: 16)
  }

  deinit {
    unsafe cossl_wire_free(wire)
    unsafe received.deallocate()
    unsafe plaintext.deallocate()
  }

  func takeNumber() -> UInt64 {
    lastNumber &+= 1
    return lastNumber
  }

  /// Frees what was made of a certificate that was replaced or removed, its key above all. Where it is
  /// still presented, it is parsed again.
  public func forget(_ certificate: TLSCertificate) { certificates.forget(certificate) }

  // MARK: Ciphertext that came

  /// Ciphertext that is still to be read.
  var inputCount: Int { unsafe wire.pointee.in_count }

  /// Begins with what a connection has kept.
  func beginInput(with kept: Buffer?) {
    unsafe wire.pointee.in = UnsafePointer(received.baseAddress!.assumingMemoryBound(to: UInt8.self))
    unsafe wire.pointee.in_count = 0
    guard let kept else { return }
    precondition(kept.count <= Self.receivedBytes)
    // The block has room, as was checked; the bytes are copied during the call.
    unsafe kept.withBytes { unsafe received.copyMemory(from: $0) }
    unsafe wire.pointee.in_count = kept.count
  }

  /// What is left of the input, in a buffer of its own; nil where nothing is.
  func takeInput() -> Buffer? {
    let count = unsafe wire.pointee.in_count
    if count == 0 { return nil }
    let buffer = Buffer(capacity: count)
    // OpenSSL and ``dropInput(_:)`` move `in` within the block.
    unsafe buffer.append(Span(_unsafeStart: wire.pointee.in!, count: count))
    unsafe wire.pointee.in_count = 0
    return buffer
  }

  /// Receives behind the input, in one call of the system.
  func receiveInput(from socket: Socket, atMost limit: Int) -> IOResult {
    let base = unsafe received.baseAddress!
    let count = unsafe wire.pointee.in_count
    if count == 0 {
      unsafe wire.pointee.in = UnsafePointer(base.assumingMemoryBound(to: UInt8.self))
    } else if unsafe UnsafeRawPointer(wire.pointee.in!) != UnsafeRawPointer(base) {
      // Both runs are within the block; memmove semantics allow the overlap.
      unsafe base.copyMemory(from: wire.pointee.in!, byteCount: count)
      unsafe wire.pointee.in = UnsafePointer(base.assumingMemoryBound(to: UInt8.self))
    }
    precondition(count < Self.receivedBytes, "input that nobody reads")
    let room = unsafe UnsafeMutableRawBufferPointer(
      start: base + count, count: min(limit, Self.receivedBytes - count))
    let result = unsafe socket.receiveBytes(into: room)
    if result.bytes > 0 { unsafe wire.pointee.in_count = count + result.bytes }
    return result
  }

  /// The byte of the input at `index`, which must be less than ``inputCount``.
  func inputByte(_ index: Int) -> UInt8 {
    precondition(index < inputCount)
    return unsafe wire.pointee.in![index]
  }

  func dropInput(_ count: Int) {
    precondition(count <= inputCount)
    unsafe wire.pointee.in = wire.pointee.in! + count
    unsafe wire.pointee.in_count -= count
  }

  /// Whether the last call of OpenSSL refused to renegotiate.
  var hasRefusedRenegotiation: Bool {
    unsafe wire.pointee.alert == Alert.noRenegotiation && wire.pointee.alert_was_received == 0
  }

  // MARK: Ciphertext that goes

  var outputCount: Int { unsafe wire.pointee.out_count }

  func dropOutput() { unsafe wire.pointee.out_count = 0 }

  /// Begins the output with what a connection has kept.
  func beginOutput(with kept: Buffer) {
    // The room is made before the bytes are copied; the wire is empty between calls.
    unsafe cossl_wire_reserve(wire, kept.count)
    unsafe kept.withBytes {
      unsafe UnsafeMutableRawPointer(wire.pointee.out + wire.pointee.out_count).copyMemory(
        from: $0.baseAddress!, byteCount: $0.count)
    }
    unsafe wire.pointee.out_count += kept.count
  }

  /// Sends the output in one call of the system.
  func sendOutput(on socket: Socket) -> IOResult {
    // out_count bytes were written.
    unsafe socket.sendBytes(UnsafeRawBufferPointer(start: wire.pointee.out, count: wire.pointee.out_count))
  }

  /// Output from byte `start` on, appended to a buffer.
  func keepOutput(from start: Int, in kept: Buffer?) -> Buffer {
    let count = outputCount - start
    let buffer = kept ?? Buffer(capacity: count)
    // start...out_count were written.
    unsafe buffer.append(Span(_unsafeStart: wire.pointee.out + start, count: count))
    return buffer
  }

  /// Records in the output.
  func countOutputRecords() -> Int {
    var position = 0
    var records = 0
    while position + 5 <= outputCount {
      // position + 4 < out_count.
      let length = unsafe Int(wire.pointee.out[position + 3]) << 8 | Int(wire.pointee.out[position + 4])
      position += 5 + length
      records += 1
    }
    return records
  }

  /// Appends the first `count` bytes of ``plaintext`` to a buffer.
  func appendPlaintext(_ range: Range<Int>, to buffer: Buffer) {
    precondition(range.lowerBound >= 0 && range.upperBound <= Self.recordBytesMax)
    let bytes = unsafe plaintext.baseAddress!.assumingMemoryBound(to: UInt8.self)
    // The range is within the block, as was checked.
    unsafe buffer.append(Span(_unsafeStart: bytes + range.lowerBound, count: range.count))
  }

  func plaintextByte(_ index: Int) -> UInt8 {
    precondition(index >= 0 && index < Self.recordBytesMax)
    return unsafe plaintext[index]
  }
}
