/// Steele, Lea and Flood's SplitMix64: fast and seedable, not for secrets.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  @inlinable
  public mutating func next() -> UInt64 { advance() }

  @usableFromInline
  mutating func advance() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number below `bound`, by multiplication; the bias is below 2⁻³² for bounds below 2³².
  public mutating func next(below bound: Int) -> Int {
    // Shifts bind more tightly than multiplications.
    Int(truncatingIfNeeded: ((advance() >> 32) &* UInt64(bound)) >> 32)
  }
}
