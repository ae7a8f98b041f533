import TLS

/// TLS handshakes with clients, by how they ended.
public struct HandshakeFigures: Sendable {
  public var tls12Full: UInt64 = 0
  public var tls12Resumed: UInt64 = 0
  public var tls13Full: UInt64 = 0
  public var tls13Resumed: UInt64 = 0
  /// By ``TLS/TLSFailure/Kind``'s number.
  public var failures = [UInt64](repeating: 0, count: TLSFailure.Kind.allCases.count)

  public init() {}

  mutating func record(_ version: TLSVersion, isResumed: Bool) {
    switch (version, isResumed) {
    case (.tls12, false): tls12Full &+= 1
    case (.tls12, true): tls12Resumed &+= 1
    case (.tls13, false): tls13Full &+= 1
    case (.tls13, true): tls13Resumed &+= 1
    }
  }

  mutating func recordFailure(_ kind: TLSFailure.Kind) { failures[Int(kind.rawValue)] &+= 1 }

  public mutating func add(_ other: HandshakeFigures) {
    tls12Full &+= other.tls12Full
    tls12Resumed &+= other.tls12Resumed
    tls13Full &+= other.tls13Full
    tls13Resumed &+= other.tls13Resumed
    for index in failures.indices { failures[index] &+= other.failures[index] }
  }
}
