import Runtime

/// Everything that happened in a simulation, in order: as a fingerprint, and as lines where asked.
///
/// Two runs with the same seed have the same trace.
public struct Trace: Sendable {
  /// FNV-1a over all that was noted.
  public private(set) var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
  /// How many notes there were.
  public private(set) var count = 0
  /// The notes as text; kept while ``keepsLines``.
  public private(set) var lines: [String] = []
  public var keepsLines = false

  mutating func note(
    _ what: StaticString, at time: MonotonicTime, _ place: SocketAddress, _ value: Int = 0
  ) {
    count += 1
    mix(UInt64(bitPattern: time.nanoseconds))
    // The text lives for ever.
    for index in 0..<what.utf8CodeUnitCount { mixByte(unsafe what.utf8Start[index]) }
    for index in 12..<16 { mixByte(place.octets[index]) }
    mix(UInt64(place.port))
    mix(UInt64(bitPattern: Int64(value)))
    if keepsLines {
      lines.append("\(time.nanoseconds) \(place.description) \(what) \(value)")
    }
  }

  private mutating func mix(_ value: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { mixByte(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
  }

  private mutating func mixByte(_ byte: UInt8) {
    fingerprint = (fingerprint ^ UInt64(byte)) &* 0x100_0000_01b3
  }
}
