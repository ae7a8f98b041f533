/// Buffers of one worker that are not in use, taken and given back last in, first out, so that the
/// memory that the kernel copies into is warm.
public struct BufferPool {
  /// One read's worth: a 64 KB response with its head in one call. Only what messages fill is ever
  /// touched, so that small ones cost small memory; see docs/decisions/0004.
  public static let bufferBytes = 81_920
  /// Kept for reuse; more are freed, so that a burst's memory goes back.
  public static let keptMax = 256

  private var free: [Buffer] = []
  public private(set) var lentCount = 0

  public init() { free.reserveCapacity(Self.keptMax) }

  /// An empty buffer of at least ``bufferBytes``.
  public mutating func take() -> Buffer {
    lentCount += 1
    return free.popLast() ?? Buffer(capacity: Self.bufferBytes)
  }

  /// Gives a buffer back. The caller must not use it any more.
  public mutating func give(_ buffer: Buffer) {
    lentCount -= 1
    guard free.count < Self.keptMax, buffer.capacity == Self.bufferBytes else { return }
    buffer.removeAll()
    free.append(buffer)
  }
}
