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
  private var numbers = ByteTable<UInt32>()
  private let hash: ByteHash

  init(seed: UInt64) { hash = ByteHash(seed: seed) }

  var count: Int { entries.count }

  /// The number of a pattern, which then has one more use.
  mutating func retain(_ pattern: String) -> UInt32 {
    let text = pattern.utf8.span
    let code = hash.hash(text, from: 0, to: text.count, after: 0)
    if let number = numbers.find(text, from: 0, to: text.count, hash: code, scope: 0) {
      entries[number].uses += 1
      return number
    }
    let expression = try? RegularExpression(pattern)
    let number = entries.insert(Entry(pattern: pattern, expression: expression, uses: 1))
    numbers.set(text, hash: code, scope: 0, to: number)
    return number
  }

  /// Ends one use; the last one frees the expression.
  mutating func release(_ number: UInt32) {
    entries[number].uses -= 1
    guard entries[number].uses == 0 else { return }
    let pattern = entries[number].pattern
    let text = pattern.utf8.span
    numbers.remove(text, hash: hash.hash(text, from: 0, to: text.count, after: 0), scope: 0)
    entries.remove(number)
  }

  /// Whether an expression matches all of `bytes`.
  func matchesWhole(_ number: UInt32, _ bytes: Span<UInt8>) -> Bool {
    entries[number].expression?.matchesWhole(bytes) ?? false
  }
}
