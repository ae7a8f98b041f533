/// A part of a zone's table. Under a lock of its own.
struct CacheShard {
  var entries = EntryTable<StoredResponse>()
  /// Who fetches what; see ``CacheFetch``.
  var fetches: [UInt64: CacheFetch] = [:]
  /// Requests for these are not made to wait for each other, until then: nanoseconds of the monotonic clock.
  var notStored = ShortMemory()
  /// To fetch these anew has failed; it is not tried again until then.
  var failedRefreshes = ShortMemory()

  /// When URLs were invalidated, as the zone counts it.
  var invalidated: [UInt64: UInt64] = [:]

  /// Variants of a URL; a new one takes the place of the oldest.
  static let variantsMax = 64
}

/// What holds of some keys until a time: nanoseconds of the monotonic clock.
struct ShortMemory {
  private var ends: [UInt64: Int64] = [:]

  /// 24 bytes each. When there are more, all are forgotten: it only costs a few requests.
  private static let countMax = 1_024

  mutating func note(_ hash: UInt64, until end: Int64) {
    if ends.count >= Self.countMax { ends = [:] }
    ends[hash] = end
  }

  mutating func holds(_ hash: UInt64, at now: Int64) -> Bool {
    guard let end = ends[hash] else { return false }
    if now < end { return true }
    ends[hash] = nil
    return false
  }
}
