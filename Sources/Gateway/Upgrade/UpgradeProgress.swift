import Runtime

/// The old process's part of an upgrade: says what is to be done when something happens.
///
/// Up to ``Action/finish`` everything can be undone; ``Action/abandon(reason:)`` is what undoes it.
struct UpgradeProgress: Equatable {
  enum Event: Equatable {
    case received(UpgradeMessage)
    /// It sent something that is not of the protocol.
    case garbled
    /// The new process, or its end of the connection, is gone.
    case ended(ChildProcess.End?)
    /// It has taken too long.
    case timeLimit
    /// This process is to end, whoever comes after it.
    case cancelled(reason: String)
  }

  enum Action: Equatable {
    case nothing
    /// Close the admin address, and tell the new process.
    case releaseAdmin
    /// Tell the new process to serve.
    case proceed
    /// The new process serves: hand over, and drain.
    case finish(unused: [Int])
    /// End the new process, take back what was released, and go on.
    case abandon(reason: String)
  }

  private enum Phase: Equatable {
    /// The new process reads its configuration.
    case preparing
    /// It was told to serve.
    case proceeding(unused: [Int])
    case over
  }

  private let socketCount: Int
  private var phase = Phase.preparing
  private(set) var hasReleasedAdmin = false

  /// - Parameter socketCount: how many were handed over.
  init(socketCount: Int) { self.socketCount = socketCount }

  mutating func handle(_ event: Event) -> Action {
    if phase == .over { return .nothing }
    switch event {
    case .received(let message): return received(message)
    case .garbled: return abandon("it sent a message that this version does not know")
    case .ended(let end): return abandon(end.map { "\($0)" } ?? "it has gone")
    case .timeLimit: return abandon("it was not ready in time")
    case .cancelled(let reason): return abandon(reason)
    }
  }

  private mutating func received(_ message: UpgradeMessage) -> Action {
    switch (phase, message) {
    case (.preparing, .wantsAdmin) where !hasReleasedAdmin:
      hasReleasedAdmin = true
      return .releaseAdmin
    case (.preparing, .ready(let unused)):
      guard unused.allSatisfy({ $0 < socketCount }) else {
        return abandon("it speaks of unknown sockets")
      }
      phase = .proceeding(unused: unused)
      return .proceed
    case (.proceeding(let unused), .serving):
      phase = .over
      return .finish(unused: unused)
    case (_, .failed(let reason)): return abandon(reason)
    default: return abandon("it sent a message out of turn")
    }
  }

  private mutating func abandon(_ reason: String) -> Action {
    phase = .over
    return .abandon(reason: reason)
  }
}
