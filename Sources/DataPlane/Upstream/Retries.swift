import Resources
import Runtime

/// The conditions of ``Resources/Retries`` as bits, so that asking costs nothing.
struct RetryConditions {
  private var bits: UInt64 = 0
  private static let connectFailure: UInt64 = 1 << 60
  private static let reset: UInt64 = 1 << 61
  private static let responseTimeout: UInt64 = 1 << 62

  init(_ conditions: Set<Retries.Condition>) {
    for condition in conditions {
      switch condition {
      case .connectFailure: bits |= Self.connectFailure
      case .reset: bits |= Self.reset
      case .responseTimeout: bits |= Self.responseTimeout
      case .status(let status): bits |= Self.bit(of: status)
      }
    }
  }

  var includesConnectFailure: Bool { bits & Self.connectFailure != 0 }
  var includesReset: Bool { bits & Self.reset != 0 }
  var includesResponseTimeout: Bool { bits & Self.responseTimeout != 0 }
  func includes(status: UInt16) -> Bool { bits & Self.bit(of: status) != 0 }

  /// 500 to 559 have a bit each.
  private static func bit(of status: UInt16) -> UInt64 {
    status >= 500 && status < 560 ? 1 << UInt64(status - 500) : 0
  }
}

/// Limits retries to a share of the requests of the last ten seconds, so that a failing service
/// is not drowned in them (Finagle's retry budget). A few are always allowed: a service with little
/// traffic may retry too.
struct RetryBudget {
  static let windowSeconds = 10
  /// Retries per window that need no requests to pay for them.
  static let reserve = 10

  var percent: Int
  private var requests = InlineArray<10, Int>(repeating: 0)
  private var retries = InlineArray<10, Int>(repeating: 0)
  private var currentSecond: Int64 = 0

  init(percent: Int) { self.percent = percent }

  mutating func countRequest(at now: MonotonicTime) {
    advance(to: now)
    requests[Int(currentSecond % 10)] += 1
  }

  /// Counts a retry if the budget allows one.
  mutating func takeRetry(at now: MonotonicTime) -> Bool {
    advance(to: now)
    var requestSum = 0
    var retrySum = 0
    for index in 0..<Self.windowSeconds {
      requestSum += requests[index]
      retrySum += retries[index]
    }
    guard retrySum < max(Self.reserve, requestSum * percent / 100) else { return false }
    retries[Int(currentSecond % 10)] += 1
    return true
  }

  private mutating func advance(to now: MonotonicTime) {
    let second = now.nanoseconds / 1_000_000_000
    guard second != currentSecond else { return }
    // Empties the seconds that passed unseen, at most one window of them.
    var passed = max(currentSecond + 1, second - Int64(Self.windowSeconds) + 1)
    while passed <= second {
      requests[Int(passed % 10)] = 0
      retries[Int(passed % 10)] = 0
      passed += 1
    }
    currentSecond = second
  }
}
