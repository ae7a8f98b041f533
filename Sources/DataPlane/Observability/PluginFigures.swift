/// What is counted of one kind of plugin.
public struct PluginFigures: Sendable {
  /// Requests that it has answered.
  public var answers: UInt64 = 0
  /// Calls that have failed.
  public var failures: UInt64 = 0
  /// What it has asked services.
  public var sideRequests = SideFigures()

  public init() {}

  static func + (a: PluginFigures, b: PluginFigures) -> PluginFigures {
    var sum = a
    sum.answers &+= b.answers
    sum.failures &+= b.failures
    sum.sideRequests.add(b.sideRequests)
    return sum
  }
}

/// Where they are counted. Belongs to one worker's thread.
public final class PluginCounters {
  var figures = PluginFigures()

  /// Counts a side request that was not made.
  public func countDropped() { figures.sideRequests.count(.dropped) }
}
