import Runtime

/// Everything that happened in a simulation, in order: as a fingerprint, and as lines where asked.
///
/// Two runs with the same seed have the same trace.
public struct Trace: Sendable {
  public struct Line: Sendable, CustomStringConvertible {
    public let time: MonotonicTime
    /// The number of the connection that it happened on; 0: none.
    public let connection: Int
    /// From a program, and not from the network.
    public var isRemark = false
    public let text: String

    /// Milliseconds since the simulation's beginning, the connection, and what happened.
    public var description: String {
      let microseconds = (time.nanoseconds - 1_000_000_000_000) / 1_000
      let fraction = String(microseconds % 1_000)
      let padded = String(repeating: "0", count: 3 - fraction.count) + fraction
      let name = connection > 0 ? "#\(connection) " : ""
      return "\(microseconds / 1_000).\(padded) ms  \(name)\(text)"
    }
  }

  /// FNV-1a over all that was noted.
  public private(set) var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
  /// How many notes there were.
  public private(set) var count = 0
  /// The notes as text; kept while ``keepsLines``.
  public private(set) var lines: [Line] = []
  public var keepsLines = false

  /// - Parameter connection: the number of the connection that it happened on; 0: none.
  mutating func note(
    _ what: StaticString, at time: MonotonicTime, _ place: SocketAddress, _ value: Int = 0,
    connection: Int = 0
  ) {
    count += 1
    mix(UInt64(bitPattern: time.nanoseconds))
    // The text lives for ever.
    for index in 0..<what.utf8CodeUnitCount { mixByte(unsafe what.utf8Start[index]) }
    for index in 12..<16 { mixByte(place.octets[index]) }
    mix(UInt64(place.port))
    mix(UInt64(bitPattern: Int64(value)))
    mix(UInt64(bitPattern: Int64(connection)))
    if keepsLines {
      lines.append(
        Line(time: time, connection: connection, text: "\(place.description) \(what) \(value)"))
    }
  }

  /// Notes what a program of the simulation did, or a disturbance.
  public mutating func remark(
    at time: MonotonicTime, connection: Int = 0, _ text: @autoclosure () -> String
  ) {
    count += 1
    mix(UInt64(bitPattern: time.nanoseconds))
    mix(UInt64(bitPattern: Int64(connection)))
    guard keepsLines else { return }
    lines.append(Line(time: time, connection: connection, isRemark: true, text: text()))
  }

  private mutating func mix(_ value: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { mixByte(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
  }

  private mutating func mixByte(_ byte: UInt8) {
    fingerprint = (fingerprint ^ UInt64(byte)) &* 0x100_0000_01b3
  }
}
