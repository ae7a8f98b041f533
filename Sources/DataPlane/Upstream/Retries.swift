import Resources
import Runtime

/// The conditions of ``Resources/Retries`` in a form in which asking costs nothing.
struct RetryConditions {
  private(set) var includesConnectFailure = false
  private(set) var includesReset = false
  private(set) var includesResponseTimeout = false
  /// A bit for each status of gRPC.
  private var callStatuses: UInt32 = 0
  /// A bit for each status from 500 to 563, and from 564 to 599.
  private var statuses: (UInt64, UInt64) = (0, 0)

  init(_ conditions: Set<Retries.Condition>) {
    for condition in conditions {
      switch condition {
      case .connectFailure: includesConnectFailure = true
      case .reset: includesReset = true
      case .responseTimeout: includesResponseTimeout = true
      case .status(let status) where status >= 500 && status < 564: statuses.0 |= 1 << UInt64(status - 500)
      case .status(let status) where status >= 564 && status < 600: statuses.1 |= 1 << UInt64(status - 564)
      case .status: break
      case .grpcStatus(let status): callStatuses |= 1 << UInt32(min(status, 31))
      }
    }
  }

  /// Whether any status of gRPC may be tried again.
  var includesCallStatus: Bool { callStatuses != 0 }

  func includes(callStatus: UInt8) -> Bool { callStatus < 32 && callStatuses >> UInt32(callStatus) & 1 == 1 }

  func includes(status: UInt16) -> Bool {
    if status < 500 || status >= 600 { return false }
    return status < 564
      ? statuses.0 >> UInt64(status - 500) & 1 == 1 : statuses.1 >> UInt64(status - 564) & 1 == 1
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
  private var requests = InlineArray<10, UInt32>(repeating: 0)
  private var retries = InlineArray<10, UInt32>(repeating: 0)
  private var currentSecond: Int64 = 0

  init(percent: Int) { self.percent = percent }

  mutating func countRequest(at now: MonotonicTime) {
    advance(to: now)
    requests[Int(currentSecond % 10)] &+= 1
  }

  /// Counts a retry if the budget allows one.
  mutating func takeRetry(at now: MonotonicTime) -> Bool {
    advance(to: now)
    var requestSum = 0
    var retrySum = 0
    for index in 0..<Self.windowSeconds {
      requestSum += Int(requests[index])
      retrySum += Int(retries[index])
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
