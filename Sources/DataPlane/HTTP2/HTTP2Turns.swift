import Runtime

/// Connections of HTTP/2 that have sent more than a turn takes apart, or of which nothing good is known. In each round
/// of the worker's loop one of either goes on, so that others wait for these and not for all.
final class HTTP2Turns {
  private let worker: Worker
  private let busy = HTTP2TurnLine()
  private let doubtful = HTTP2TurnLine()
  private var isAsked = false
  /// In which a doubtful one was let through.
  private var lastFreeRound: UInt64 = .max

  init(on worker: Worker) { self.worker = worker }

  /// Lets a connection go on behind all that is ready now. Once until its turn has come.
  /// - isDoubtful: It waits for others of the kind only, and only they for it.
  func add(_ connection: HTTP2Connection, isDoubtful: Bool) {
    (isDoubtful ? doubtful : busy).add(connection)
    ask()
  }

  /// Whether a doubtful one may have a turn at once: one in a round may, when none waits. A crowd of them that is ready
  /// in one round would otherwise have a turn each before anybody else.
  func mayPass() -> Bool {
    if !doubtful.isEmpty || lastFreeRound == worker.roundCount { return false }
    lastFreeRound = worker.roundCount
    return true
  }

  private func ask() {
    if isAsked { return }
    isAsked = true
    worker.spawn {
      self.doubtful.next()
      self.busy.next()
      self.isAsked = false
      if !self.doubtful.isEmpty || !self.busy.isEmpty { self.ask() }
    }
  }
}

/// The first in the line goes on until it is done or has had ``turnsInRow``. If they took turns one by one, a crowd of
/// abusers that came together would be cut off together, and come again together: measured, a hundred that reset
/// their requests made others wait for 45 ms.
private final class HTTP2TurnLine {
  private var waiting: [HTTP2Connection] = []
  private var first = 0
  /// Of the first, after the present one.
  private var turnsLeft = HTTP2TurnLine.turnsInRow
  /// Has its turn now.
  private var current: HTTP2Connection?
  private var keepsPlace = false

  private static let turnsInRow = 8

  var isEmpty: Bool { first == waiting.count }

  func add(_ connection: HTTP2Connection) {
    if connection === current, turnsLeft > 0 {
      turnsLeft -= 1
      keepsPlace = true
    } else {
      waiting.append(connection)
    }
  }

  func next() {
    if isEmpty { return }
    let connection = waiting[first]
    current = connection
    keepsPlace = false
    connection.goOn()
    current = nil
    if !keepsPlace { removeFirst() }
  }

  private func removeFirst() {
    turnsLeft = Self.turnsInRow
    first += 1
    guard isEmpty || first > 64 && first > waiting.count / 2 else { return }
    waiting.removeSubrange(0..<first)
    first = 0
  }
}
