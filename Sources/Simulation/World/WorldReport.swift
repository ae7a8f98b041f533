/// What came of one run of a ``World``.
public struct WorldReport: Sendable {
  public let plan: WorldPlan
  public let violations: [WorldViolation]
  /// Of the trace; the same seed has the same.
  public let fingerprint: UInt64
  public let noteCount: Int
  public let requestCount: Int
  /// Requests by status, or how else they ended.
  public let outcomes: [String: Int]
  /// Versions of the configuration.
  public let versionCount: Int
  /// Messages of HTTP/1.1 that the strict reader has read.
  public let messageCount: Int
  /// Limits that something came up to.
  public let limitsReached: Set<String>
  /// The trace, where it was kept.
  public let lines: [Trace.Line]

  /// The last `count` lines that have to do with the violations: what their connections saw, and what
  /// programs said; all lines where nothing is known of connections.
  public func excerpt(_ count: Int = 120) -> [String] {
    let wires = Set(violations.flatMap(\.connections))
    // What came after the first violation explains nothing.
    let end = lines.firstIndex { $0.text.hasPrefix("VIOLATION") } ?? lines.count - 1
    let before = lines[..<min(end + 1, lines.count)]
    let related = before.filter { line in
      wires.isEmpty || wires.contains(line.connection) || (line.isRemark && line.connection == 0)
    }
    return related.suffix(count).map(\.description)
  }
}

extension World {
  /// Runs a world once; where it fails, once more for its trace.
  public static func run(_ plan: WorldPlan, keepsTrace: Bool = false) -> WorldReport {
    let report = World(plan, keepsTrace: keepsTrace).run()
    if report.violations.isEmpty || keepsTrace { return report }
    return World(plan, keepsTrace: true).run()
  }
}
