import Synchronization

/// Follows the stream of changes over the ends of its connections.
public struct ChangeWatch: Sendable {
  /// Connections in a row that fail before it gives up: an upgrade takes seconds.
  static let failuresMax = 15
  static let pause = Duration.seconds(1)

  private let client: GatewayClient
  private let after: UInt64?

  /// - Parameter after: begins with the first change after this revision; nil: with the next.
  public init(client: GatewayClient, after: UInt64?) {
    self.client = client
    self.after = after
  }

  private struct Progress {
    var revision: UInt64?
    var count = 0
    var failures = 0
  }

  /// Calls `body` with each event, in order.
  ///
  /// - Parameter count: ends after so many changes; nil: goes on until it is cancelled.
  public func run(
    count: Int? = nil, _ body: @escaping @Sendable (ChangeEvent) -> Void
  ) async throws(ClientFailure) {
    let progress = Mutex(Progress(revision: after))
    while !Task.isCancelled {
      let isFirst = progress.withLock { $0.failures == 0 && $0.count == 0 }
      do throws(ClientFailure) {
        try await client.changes(after: progress.withLock { $0.revision }) { event in
          body(event)
          return progress.withLock { progress in
            progress.revision = event.revision
            progress.failures = 0
            if case .change = event { progress.count += 1 }
            return progress.count < count ?? .max
          }
        }
      } catch {
        guard error.mayPass, !isFirst, progress.withLock({ $0.failures }) < Self.failuresMax else {
          throw error
        }
      }
      if progress.withLock({ $0.count }) >= count ?? .max { return }
      progress.withLock { $0.failures += 1 }
      try? await Task.sleep(for: Self.pause)
    }
  }
}

extension ClientFailure {
  /// Whether the same question may have an answer a little later.
  var mayPass: Bool {
    switch self {
    case .unreachable, .interrupted, .timedOut: true
    case .refused(let problem): problem.status == 503
    case .usage, .answerTooLarge, .malformedAnswer, .unexpected: false
    }
  }
}
