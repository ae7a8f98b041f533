/// The shortest way from some lines to others, by removing and adding (Myers, An O(ND) Difference
/// Algorithm, 1986).
public enum LineDifference {
  public enum Edit: Sendable, Equatable {
    case keep(String)
    case remove(String)
    case add(String)
  }

  /// More than this apart, and all of the middle is removed and added: the search takes time and memory
  /// with the square of it.
  static let distanceMax = 1_500

  public static func edits(from before: [String], to after: [String]) -> [Edit] {
    let head = zip(before, after).prefix { $0 == $1 }.count
    let tailMax = min(before.count, after.count) - head
    let tail = zip(before.reversed(), after.reversed()).prefix(tailMax).prefix { $0 == $1 }.count
    let old = Array(before[head..<before.count - tail])
    let new = Array(after[head..<after.count - tail])
    return before[..<head].map(Edit.keep) + middle(old, new) + before.suffix(tail).map(Edit.keep)
  }

  private static func middle(_ old: [String], _ new: [String]) -> [Edit] {
    guard !old.isEmpty, !new.isEmpty, let trace = trace(old, new) else {
      return old.map(Edit.remove) + new.map(Edit.add)
    }
    return walk(back: trace, old, new)
  }

  /// For each number of edits, the furthest place in `old` on each diagonal before that edit; nil
  /// where the two are too far apart.
  private static func trace(_ old: [String], _ new: [String]) -> [[Int]]? {
    let distanceMax = min(old.count + new.count, distanceMax)
    let middle = distanceMax + 1
    var furthest = [Int](repeating: 0, count: 2 * distanceMax + 3)
    var trace: [[Int]] = []
    for distance in 0...distanceMax {
      // Only the diagonals that this and the next step look at.
      trace.append(Array(furthest[(middle - distance - 1)...(middle + distance + 1)]))
      for diagonal in stride(from: -distance, through: distance, by: 2) {
        let isDown =
          diagonal == -distance
          || diagonal != distance && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1]
        var x = isDown ? furthest[middle + diagonal + 1] : furthest[middle + diagonal - 1] + 1
        var y = x - diagonal
        while x < old.count, y < new.count, old[x] == new[y] {
          x += 1
          y += 1
        }
        furthest[middle + diagonal] = x
        if x >= old.count, y >= new.count { return trace }
      }
    }
    return nil
  }

  private static func walk(back trace: [[Int]], _ old: [String], _ new: [String]) -> [Edit] {
    var edits: [Edit] = []
    var (x, y) = (old.count, new.count)
    for (distance, furthest) in trace.enumerated().reversed() {
      let diagonal = x - y
      let middle = distance + 1
      let isDown =
        diagonal == -distance
        || diagonal != distance && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1]
      let previous = isDown ? diagonal + 1 : diagonal - 1
      let previousX = distance == 0 ? 0 : furthest[middle + previous]
      let previousY = distance == 0 ? 0 : previousX - previous
      while x > previousX, y > previousY {
        edits.append(.keep(old[x - 1]))
        x -= 1
        y -= 1
      }
      guard distance > 0 else { break }
      edits.append(isDown ? .add(new[previousY]) : .remove(old[previousX]))
      (x, y) = (previousX, previousY)
    }
    return edits.reversed()
  }
}
