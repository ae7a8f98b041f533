import DataPlane
import TLS

/// Tokens that were verified right before: a client shows the same one with each request, and a signature takes longer
/// to verify than the rest of a request. Bounded; of one worker.
///
/// What is compared is all of a token, in constant time. None holds longer than it says itself, nor than the
/// consumer's credential or the keys that it was verified by.
struct KnownTokens {
  struct Known {
    fileprivate let token: [UInt8]
    fileprivate let holds: ClosedRange<Double>
    /// The issuer's, by index; -1: a consumer's.
    fileprivate let issuer: Int
    fileprivate let keysRevision: Int
    let found: FoundCredential?
    /// What endpoints are told of it.
    let lines: [UInt8]
  }

  private var known = HashedTable<Known?>(empty: nil)
  private var bytes = 0
  /// Above that, all are forgotten.
  private static let bytesMax = 8 << 20
  /// What an entry takes beside the token and its lines.
  private static let entryBytes = 192
  private static let tokenBytesMax = 4_096

  static func hash(of token: Span<UInt8>) -> Int { Int(truncatingIfNeeded: KeyHash.of(token)) }

  /// - hash: Of the token.
  /// - now: In seconds since 1970.
  /// - keysRevision: Of an issuer's keys, by its index.
  func find(
    _ token: Span<UInt8>, _ hash: Int, now: Double, _ consumers: ConsumerTable, keysRevision: (Int) -> Int
  ) -> Known? {
    guard token.count <= Self.tokenBytesMax, let slot = known.slot(of: hash), let one = known[slot],
      ConstantTime.areEqual(token, one.token), one.holds.lowerBound <= now, now < one.holds.upperBound,
      one.found.map(consumers.isCurrent) ?? true,
      one.issuer < 0 || keysRevision(one.issuer) == one.keysRevision
    else { return nil }
    return one
  }

  mutating func remember(
    _ token: [UInt8], _ hash: Int, _ holds: ClosedRange<Double>, issuer: Int, keysRevision: Int,
    _ found: FoundCredential?, _ lines: [UInt8]
  ) {
    guard token.count <= Self.tokenBytesMax else { return }
    bytes += token.count + lines.count + Self.entryBytes
    if bytes > Self.bytesMax {
      known.removeAll()
      bytes = token.count + lines.count + Self.entryBytes
    }
    let slot = known.slot(of: hash, orInsert: nil)
    known[slot] = Known(
      token: token, holds: holds, issuer: issuer, keysRevision: keysRevision, found: found, lines: lines)
  }
}
