import Simulation

/// What `simulate` is asked to do.
struct Options {
  /// One world alone, with its trace.
  var seed: UInt64?
  var firstSeed: UInt64 = 1
  var seeds: UInt64 = 1_000
  /// Worlds are made until the time is over, whatever `seeds` says; 0: until it is stopped.
  var seconds: Int?
  var jobs = 2
  /// Every so many seeds, a world is run twice, and the traces are compared.
  var replayEvery: UInt64 = 25
  var focus = WorldPlan.Focus.any
  var corpus: String?
  /// Lines of the trace that are shown of a failure.
  var lines = 80
  /// After so many failures no more worlds are made.
  var failuresMax = 5
  /// All of the trace, not only what has to do with the failure.
  var showsAll = false

  static let usage = """
    usage: simulate [--seed N] [--first N] [--seeds N] [--seconds N] [--jobs N] [--corpus FILE]
                    [--focus any|http1|http2|changes|overload] [--replay-every N] [--lines N] [--failures N] [--all]
    """

  init?(_ arguments: [String]) {
    var rest = arguments[...]
    while let name = rest.popFirst() {
      if name == "--all" {
        showsAll = true
        continue
      }
      guard let text = rest.popFirst() else { return nil }
      switch name {
      case "--corpus": corpus = text
      case "--focus":
        guard let focus = WorldPlan.Focus(rawValue: text) else { return nil }
        self.focus = focus
      default: guard take(name, text) else { return nil }
      }
    }
  }

  private mutating func take(_ name: String, _ text: String) -> Bool {
    guard let number = UInt64(text) else { return false }
    switch name {
    case "--seed": seed = number
    case "--first": firstSeed = number
    case "--seeds": seeds = number
    case "--seconds": seconds = Int(clamping: number)
    case "--jobs": jobs = Int(clamping: max(number, 1))
    case "--replay-every": replayEvery = max(number, 1)
    case "--lines": lines = Int(clamping: number)
    case "--failures": failuresMax = Int(clamping: max(number, 1))
    default: return false
    }
    return true
  }
}
