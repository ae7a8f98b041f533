/// What is counted of one kind of plugin.
public struct PluginFigures: Sendable {
  /// Requests that it has answered.
  public var answers: UInt64 = 0
  /// Calls that have failed.
  public var failures: UInt64 = 0

  public init() {}

  static func + (a: PluginFigures, b: PluginFigures) -> PluginFigures {
    var sum = a
    sum.answers &+= b.answers
    sum.failures &+= b.failures
    return sum
  }
}

/// Where they are counted. Belongs to one worker's thread.
final class PluginCounters {
  var figures = PluginFigures()
}
