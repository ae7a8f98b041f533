/// Finds what a person probably meant to write.
enum Suggestion {
  /// The candidate nearest to `word`, if one is near enough to be a slip of the fingers.
  static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    let wanted = folded(word)
    guard !wanted.isEmpty else { return nil }
    // One slip for each three letters: more turns "on" into "off".
    let distanceMax = max(1, wanted.count / 3)
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
      let other = folded(candidate)
      guard abs(other.count - wanted.count) <= distanceMax else { continue }
      let distance = editDistance(wanted, other)
      let limit = min(distanceMax, max(wanted.count, other.count) - 1)
      if distance <= limit, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.candidate ?? extended(wanted, among: candidates)
  }

  /// `percent` for `percentMax`, `max` for `idleMax`: the shortest candidate that begins or ends so.
  private static func extended(_ wanted: [UInt8], among candidates: some Sequence<String>) -> String? {
    guard wanted.count >= 3 else { return nil }
    let longer = candidates.filter { candidate in
      let other = folded(candidate)
      return other.count > wanted.count
        && (other.starts(with: wanted) || other.suffix(wanted.count).elementsEqual(wanted))
    }
    return longer.min { $0.utf8.count < $1.utf8.count }
  }

  /// `slow_start`, `slow-start` and `slowStart` are the same slip.
  private static func folded(_ word: String) -> [UInt8] {
    // Names in a file are at most a few hundred bytes; a longer word is not one of them.
    word.utf8.prefix(300).filter { $0 != 0x2D && $0 != 0x5F }.map { byte in
      byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }
  }

  /// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
  static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var beforePrevious = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    var current = previous
    for i in 1...a.count {
      current[0] = i
      for j in 1...b.count {
        let substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        var distance = min(previous[j] + 1, current[j - 1] + 1, substitution)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          distance = min(distance, beforePrevious[j - 2] + 1)
        }
        current[j] = distance
      }
      (beforePrevious, previous, current) = (previous, current, beforePrevious)
    }
    return previous[b.count]
  }
}
