/// Differences as `diff -u` prints them.
public enum UnifiedDifference {
  static let contextLines = 3

  /// Empty where the two are the same.
  ///
  /// - Parameters:
  ///   - names: of both sides; `/dev/null` for what is not there.
  public static func text(
    from before: String, to after: String, names: (before: String, after: String)
  ) -> String {
    guard before != after else { return "" }
    let edits = LineDifference.edits(from: lines(before), to: lines(after))
    let names = "--- \(TerminalText.line(names.before))\n+++ \(TerminalText.line(names.after))\n"
    return names + hunks(edits).map { hunk(edits, $0) }.joined()
  }

  private static func lines(_ text: String) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }

  /// Ranges of edits with their context; two that touch are one.
  private static func hunks(_ edits: [LineDifference.Edit]) -> [Range<Int>] {
    var hunks: [Range<Int>] = []
    for (index, edit) in edits.enumerated() {
      if case .keep = edit { continue }
      let range = max(0, index - contextLines)..<min(edits.count, index + contextLines + 1)
      if let last = hunks.last, last.upperBound >= range.lowerBound {
        hunks[hunks.count - 1] = last.lowerBound..<range.upperBound
      } else {
        hunks.append(range)
      }
    }
    return hunks
  }

  private static func hunk(_ edits: [LineDifference.Edit], _ range: Range<Int>) -> String {
    let start = count(edits[..<range.lowerBound])
    let size = count(edits[range])
    var text = "@@ -\(place(start.old, size.old)) +\(place(start.new, size.new)) @@\n"
    for edit in edits[range] {
      switch edit {
      case .keep(let line): text += " " + TerminalText.line(line) + "\n"
      case .remove(let line): text += "-" + TerminalText.line(line) + "\n"
      case .add(let line): text += "+" + TerminalText.line(line) + "\n"
      }
    }
    return text
  }

  /// First line and number of lines; of nothing, the line before it.
  private static func place(_ before: Int, _ count: Int) -> String {
    let first = count == 0 ? before : before + 1
    return count == 1 ? "\(first)" : "\(first),\(count)"
  }

  private static func count(_ edits: ArraySlice<LineDifference.Edit>) -> (old: Int, new: Int) {
    edits.reduce(into: (0, 0)) { counts, edit in
      switch edit {
      case .keep: counts = (counts.0 + 1, counts.1 + 1)
      case .remove: counts.0 += 1
      case .add: counts.1 += 1
      }
    }
  }
}
