/// Why a simulation could not go on.
public struct SimulationError: Error, CustomStringConvertible {
  public enum Reason: Sendable {
    /// Nothing can happen any more: no event is on its way and no deadline is set.
    case stuck
    /// The time that was given is over.
    case outOfTime
    /// Time stands still although the workers have been busy for very long.
    case busyWithoutEnd
    /// A job ran on another thread than the simulation's, so that a seed no longer replays it.
    case leftWorker
  }

  public let reason: Reason
  /// What each worker was doing.
  public let report: String

  public var description: String { "\(reason): \(report)" }
}
