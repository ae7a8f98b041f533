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

  /// A hash of all that was noted, and of the bytes that arrived.
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
    unsafe mix(UnsafeRawBufferPointer(start: what.utf8Start, count: what.utf8CodeUnitCount))
    mix(Self.mark(of: place))
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

  /// Notes what bytes arrived, so that runs which differ in content only do not look the same.
  mutating func noteContent(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe mix($0) } }

  /// Eight bytes at a time: notes are made by the hundred thousand, also in builds without optimisation.
  private mutating func mix(_ bytes: UnsafeRawBufferPointer) {
    mix(UInt64(bytes.count))
    var position = 0
    while position + 8 <= bytes.count {
      // position + 8 is within the bytes.
      mix(unsafe bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position += 8
    }
    while position < bytes.count {
      mix(UInt64(unsafe bytes[position]))
      position += 1
    }
  }

  private static func mark(of place: SocketAddress) -> UInt64 {
    let octets = place.octets
    return UInt64(octets[12]) << 40 | UInt64(octets[13]) << 32 | UInt64(octets[14]) << 24
      | UInt64(octets[15]) << 16 | UInt64(place.port)
  }

  /// FNV-1a by words, with the high bits brought down: a multiplication alone moves nothing there.
  private mutating func mix(_ word: UInt64) {
    fingerprint = (fingerprint ^ word) &* 0x100_0000_01b3
    fingerprint ^= fingerprint >> 32
  }
}
