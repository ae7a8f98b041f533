import Runtime

/// The share of its weight that an endpoint has while it starts: it grows in a straight line from
/// 10 % (Envoy's `min_weight_percent`) to all of it.
struct SlowStart {
  /// A whole share; weights are multiplied with shares, so that they stay integers.
  static let whole = 1_024
  private static let least = 102

  /// Nanoseconds; 0: everything starts at once.
  private let window: Int64

  init(_ duration: Duration) { window = max(0, duration.inNanoseconds) }

  /// The share of an endpoint's weight, of ``whole``.
  @inline(__always)
  func share(of endpoint: Endpoint, at now: MonotonicTime) -> Int {
    // Time zero is what endpoints have that were there when the worker started.
    let since = endpoint.availableSince
    if window == 0 || since.nanoseconds <= 0 || since.advanced(byNanoseconds: window) <= now {
      return Self.whole
    }
    return startingShare(since: since, now)
  }

  private func startingShare(since: MonotonicTime, _ now: MonotonicTime) -> Int {
    let elapsed = max(0, now.nanoseconds(since: since))
    let grown = Double(elapsed) / Double(window) * Double(Self.whole - Self.least)
    return min(Self.whole, Self.least + Int(grown))
  }

  @inline(__always)
  func weight(of endpoint: Endpoint, at now: MonotonicTime) -> Int {
    endpoint.weight &* share(of: endpoint, at: now)
  }

  /// Whether an endpoint takes a pick that falls to it by its full weight.
  @inline(__always)
  func accepts(_ endpoint: Endpoint, at now: MonotonicTime, random: inout SplitMix64) -> Bool {
    let share = share(of: endpoint, at: now)
    return share == Self.whole || random.next(below: Self.whole) < share
  }
}
