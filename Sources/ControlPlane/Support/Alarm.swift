import Dispatch

/// Calls a closure later, once or again and again, until it is cancelled or nobody holds it any more.
///
/// A task that sleeps stays in memory until its time is over, also when it is cancelled; this does not.
final class Alarm: Sendable {
  /// Dispatch's sources may be used from any thread; their declaration does not say so.
  nonisolated(unsafe) private let timer: any DispatchSourceTimer

  /// - Parameters:
  ///   - interval: between one call and the next; nil: there is only one.
  ///   - action: called on a thread of Dispatch's.
  init(after delay: Duration, every interval: Duration? = nil, _ action: @escaping @Sendable () -> Void) {
    let timer = DispatchSource.makeTimerSource()
    let repeating = interval.map { DispatchTimeInterval.nanoseconds(Self.nanoseconds($0)) } ?? .never
    timer.schedule(deadline: .now() + .nanoseconds(Self.nanoseconds(delay)), repeating: repeating)
    timer.setEventHandler(handler: action)
    timer.resume()
    unsafe self.timer = timer
  }

  deinit { cancel() }

  func cancel() { unsafe timer.cancel() }

  private static func nanoseconds(_ duration: Duration) -> Int {
    Int(clamping: Int64(clamping: duration / .nanoseconds(1)))
  }
}

extension Int64 {
  fileprivate init(clamping value: Double) {
    self = value >= 9e18 ? .max : value <= 0 ? 0 : Int64(value)
  }
}
