import HTTPCodec
import Runtime

/// A hash of what requests are told apart by, the same on every gateway and after every start: for what is to hold
/// a user to one side.
public enum StableHash {
  private static let hash = ByteHash(seed: 0x73_70_6C_69_74)

  /// - state: 0, or the hash of what stands before.
  public static func of(_ bytes: Span<UInt8>, after state: UInt64 = 0) -> UInt64 {
    hash.hash(bytes, from: 0, to: bytes.count, after: state)
  }

  /// The address without its port; of IPv6 the network of 64 bits, which is what one subscriber gets.
  public static func of(_ address: SocketAddress, after state: UInt64 = 0) -> UInt64 {
    var octets = InlineArray<16, UInt8>(repeating: 0)
    for index in 0..<(address.isIPv4 ? 16 : 8) { octets[index] = address.octets[index] }
    return of(octets.span, after: state)
  }
}

/// A hash of what requests are told apart by, the same on every worker of the process. Its seed is random, so that
/// nobody can choose keys that collide.
public enum KeyHash {
  private static let hash = ByteHash(seed: UInt64.random(in: .min ... .max))

  /// - state: 0, or the hash of what stands before.
  public static func of(_ bytes: Span<UInt8>, after state: UInt64 = 0) -> UInt64 {
    hash.hash(bytes, from: 0, to: bytes.count, after: state)
  }

  /// What has been hashed before, as a part of another key.
  public static func of(hash number: UInt64, after state: UInt64) -> UInt64 {
    // SplitMix64's finaliser: every bit of both counts in every bit.
    var mixed = number ^ (state &* 0x9E37_79B9_7F4A_7C15)
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// The address without its port; of IPv6 the network of 64 bits, which is what one subscriber gets.
  public static func of(_ address: SocketAddress, after state: UInt64 = 0) -> UInt64 {
    var octets = InlineArray<16, UInt8>(repeating: 0)
    for index in 0..<(address.isIPv4 ? 16 : 8) { octets[index] = address.octets[index] }
    return hash.hash(octets.span, from: 0, to: 16, after: state)
  }
}
