/// Bytes that do not change any more, and are sent from where they are. From any thread.
///
/// `@unchecked Sendable`: the buffer is written to before this is made, belongs to it from then on, and is only
/// read.
public final class FrozenBytes: @unchecked Sendable {
  let buffer: Buffer

  /// Takes a buffer over; nobody may use it any more.
  public init(_ buffer: Buffer) {
    // What it grew by beyond its bytes would be kept for as long as these.
    if buffer.capacity > buffer.count + buffer.count / 4 {
      self.buffer = Buffer(capacity: max(1, buffer.count))
      self.buffer.append(buffer.bytes)
    } else {
      self.buffer = buffer
    }
  }

  public var count: Int { buffer.count }

  public func withBytes<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    let buffer = buffer
    return body(buffer.bytes)
  }

  public func copy(_ range: Range<Int>) -> [UInt8] { buffer.copy(range) }
}

extension Transport {
  /// Sends bytes `range`, counted from the first.
  public final func send(_ bytes: FrozenBytes, range: Range<Int>) -> IOResult {
    send(bytes.buffer, range: range)
  }

  /// Sends all of `first`, then bytes `range` of `second`. Neither may be empty.
  public final func send(_ first: Buffer, _ second: FrozenBytes, range: Range<Int>) -> IOResult {
    send(first, second.buffer, range: range)
  }
}
