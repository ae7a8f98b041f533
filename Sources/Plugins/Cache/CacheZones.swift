import HTTPCodec
import Synchronization

/// The zones of the process, for those that use them and those that purge them. From any thread.
public enum CacheZones {
  private static let zones = Mutex<[String: CacheZone]>([:])

  /// Zones; what comes above shares one. Each has tables of its own.
  static let zonesMax = 64

  /// The zone of a name; what is asked of its size last holds. It stays when nobody uses it any more: a plugin that
  /// is taken away for a while finds what it had.
  static func zone(named name: String, limit: Int) -> CacheZone {
    let zone = zones.withLock { zones in
      let name = zones[name] == nil && zones.count >= zonesMax ? "default" : name
      if let known = zones[name] { return known }
      let new = CacheZone(name, limit: limit)
      zones[name] = new
      return new
    }
    zone.resize(to: limit)
    return zone
  }

  /// Forgets a zone that nobody uses any more. For simulations, whose worlds must know nothing of each other.
  public static func forget(_ name: String) { zones.withLock { _ = $0.removeValue(forKey: name) } }

  private static var all: [CacheZone] {
    zones.withLock { $0.values.sorted { $0.name < $1.name } }
  }

  public static var figures: [CacheZoneFigures] { all.map(\.figures) }

  /// What is to be purged.
  public enum Purge: Sendable {
    case everything
    /// As clients ask for it, with scheme and host.
    case url(String)
    /// What such a URL begins with.
    case prefix(String)
    /// A word of the fields that carry tags.
    case tag(String)
  }

  /// Takes entries out of all zones, or of one, with their files. May block.
  /// - Returns: how many there were; nil where what is given is not such a URL, or there is no such zone.
  public static func purge(_ what: Purge, zone: String? = nil) -> Int? {
    CacheDisks.openAllUsed()
    let zones = all.filter { zone == nil || $0.name == zone }
    if zone != nil, zones.isEmpty { return nil }
    let purge: CacheZone.Purge
    switch what {
    case .everything: purge = .everything
    case .tag(let tag): purge = .tag(Array(tag.utf8))
    case .url(let text):
      guard let url = CacheKey.url(text) else { return nil }
      purge = .url(CacheURL(url))
    case .prefix(let text):
      guard let url = CacheKey.url(text) else { return nil }
      purge = .prefix(url)
    }
    let count = zones.reduce(0) { $0 + $1.purge(purge) }
    CacheDisks.settle(milliseconds: settleMilliseconds)
    return count
  }

  /// How long a purge waits for files to be removed; on a slow disk the rest follows.
  private static let settleMilliseconds: Int32 = 10_000
}
