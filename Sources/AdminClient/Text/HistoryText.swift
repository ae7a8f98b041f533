import Resources

/// Changes as lines.
public enum HistoryText {
  /// The history as a table.
  public static func table(_ changes: [ChangeSummary]) -> String {
    var table = TextTable(["REVISION", "TIME", "OWNER", "ACTOR", "CHANGES", "MESSAGE"])
    for change in changes {
      table.row([
        "\(change.revision)", change.time, change.owner, change.actor ?? "-", resources(change),
        change.message ?? "",
      ])
    }
    return table.text
  }

  /// One change in a line, as the stream shows it.
  public static func line(_ change: ChangeSummary) -> String {
    let parts = [
      "\(change.revision)", change.time, change.owner, change.actor, resources(change),
      change.message.map { "\"\($0)\"" },
    ]
    return TerminalText.line(parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: "  "))
  }

  /// `routes/shop created`, `3 resources: routes/a replaced, …`.
  private static func resources(_ change: ChangeSummary) -> String {
    let shown = change.resources.prefix(ResourceTable.itemsMax).map { "\($0.id) \($0.outcome)" }
    let others = change.resourceCount - shown.count
    return shown.joined(separator: ", ") + (others > 0 ? " (+\(others))" : "")
  }
}
