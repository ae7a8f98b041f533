import Runtime

/// Connections of HTTP/2 that have sent more than a turn takes apart. In each round of the worker's loop one of
/// them goes on, so that others wait for one and not for all.
///
/// The first in the line goes on until it is done or has had ``turnsInRow``. If they took turns one by one, a
/// crowd of abusers that came together would be cut off together, and come again together: measured, a hundred
/// that reset their requests made others wait for 45 ms.
final class HTTP2Turns {
  private let worker: Worker
  private var waiting: [HTTP2Connection] = []
  private var first = 0
  private var isAsked = false
  /// Of the first, after the present one.
  private var turnsLeft = HTTP2Turns.turnsInRow
  /// Has its turn now.
  private var current: HTTP2Connection?
  private var keepsPlace = false

  static let turnsInRow = 8

  init(on worker: Worker) { self.worker = worker }

  /// Lets a connection go on behind all that is ready now. Once until its turn has come.
  func add(_ connection: HTTP2Connection) {
    if connection === current, turnsLeft > 0 {
      turnsLeft -= 1
      keepsPlace = true
    } else {
      waiting.append(connection)
    }
    ask()
  }

  private func ask() {
    if isAsked || current != nil { return }
    isAsked = true
    worker.spawn {
      self.isAsked = false
      self.next()
    }
  }

  private func next() {
    let connection = waiting[first]
    current = connection
    keepsPlace = false
    connection.goOn()
    current = nil
    if !keepsPlace { removeFirst() }
    if first < waiting.count { ask() }
  }

  private func removeFirst() {
    turnsLeft = Self.turnsInRow
    first += 1
    guard first == waiting.count || first > 64 && first > waiting.count / 2 else { return }
    waiting.removeSubrange(0..<first)
    first = 0
  }
}
