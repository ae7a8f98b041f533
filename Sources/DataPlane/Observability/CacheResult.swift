/// What a cache had for a request, for the access log and the counters; nginx's words where it has them.
public enum CacheResult: UInt8, Sendable, CaseIterable {
  /// The request met no cache.
  case none
  case hit
  /// Nothing was stored for it.
  case miss
  /// What was stored is stale, and was fetched anew.
  case expired
  /// Something stale was sent, because the endpoint failed or the client takes it.
  case stale
  /// Something stale was sent while another request fetches it anew.
  case updating
  /// The endpoint has said that what was stored still holds.
  case revalidated
  /// The cache was not asked.
  case bypass

  /// As in logs and metric labels.
  public var name: StaticString {
    switch self {
    case .none: "none"
    case .hit: "hit"
    case .miss: "miss"
    case .expired: "expired"
    case .stale: "stale"
    case .updating: "updating"
    case .revalidated: "revalidated"
    case .bypass: "bypass"
    }
  }
}

/// How often each has come.
public struct CacheFigures: Sendable {
  private var counts = InlineArray<8, UInt64>(repeating: 0)

  public init() {}

  public subscript(result: CacheResult) -> UInt64 { counts[Int(result.rawValue)] }

  mutating func record(_ result: CacheResult) { counts[Int(result.rawValue)] &+= 1 }

  mutating func add(_ other: CacheFigures) {
    for index in 0..<8 { counts[index] &+= other.counts[index] }
  }
}
