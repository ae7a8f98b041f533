/// Columns of text, as wide as their widest cell.
public struct TextTable: Sendable {
  /// A wider cell would push the others out of sight.
  static let cellWidthMax = 60

  private let titles: [String]
  private var rows: [[String]] = []

  public init(_ titles: [String]) {
    self.titles = titles
  }

  public mutating func row(_ cells: [String]) {
    rows.append(cells.map { Self.shortened(TerminalText.line($0)) })
  }

  private static func shortened(_ cell: String) -> String {
    cell.count <= cellWidthMax ? cell : cell.prefix(cellWidthMax - 1) + "…"
  }

  /// With a line end; the last column is not padded.
  public var text: String {
    var widths = titles.map(\.count)
    for row in rows {
      for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
    }
    return ([titles] + rows).map { row in
      let cells = row.enumerated().map { index, cell in
        index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
      }
      return cells.joined(separator: "  ") + "\n"
    }.joined()
  }
}
