import Resources

/// The regular expressions of one worker, each compiled once however many routes use it.
struct ExpressionPool {
  private struct Entry {
    var pattern = ""
    /// Nil for a pattern that does not compile; configurations are checked, so there is none.
    var expression: RegularExpression?
    var uses = 0
  }

  private var entries = Pool(blank: Entry())
  private var numbers: [String: UInt32] = [:]

  var count: Int { entries.count }

  /// The number of a pattern, which then has one more use.
  mutating func retain(_ pattern: String) -> UInt32 {
    if let number = numbers[pattern] {
      entries[number].uses += 1
      return number
    }
    let expression = try? RegularExpression(pattern)
    let number = entries.insert(Entry(pattern: pattern, expression: expression, uses: 1))
    numbers[pattern] = number
    return number
  }

  /// Ends one use; the last one frees the expression.
  mutating func release(_ number: UInt32) {
    entries[number].uses -= 1
    guard entries[number].uses == 0 else { return }
    numbers[entries[number].pattern] = nil
    entries.remove(number)
  }

  /// Whether an expression matches all of `bytes`.
  func matchesWhole(_ number: UInt32, _ bytes: Span<UInt8>) -> Bool {
    entries[number].expression?.matchesWhole(bytes) ?? false
  }
}
