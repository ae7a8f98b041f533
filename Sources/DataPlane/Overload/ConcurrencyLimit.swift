/// A limit on requests in flight that follows response times, after Netflix's Gradient2: where they grow
/// beyond what is usual, requests wait at the endpoints, and fewer should be there.
///
/// Arithmetic only; one worker's share of a service.
struct ConcurrencyLimit {
  /// Response times are averaged over at least this long and this many.
  static let windowNanoseconds: Int64 = 100_000_000
  static let windowSamples = 10
  /// Of the usual response time, a window is this part: about a minute of windows.
  private static let usualWeight = 1.0 / 600
  /// Of the limit, a window's result is this part.
  private static let limitWeight = 0.2

  let minimum: Int
  let maximum: Int
  private let tolerance: Double
  private var exact: Double
  /// Nanoseconds; 0 before the first window.
  private var usual = 0.0
  private var sum = 0.0
  private var samples = 0
  private var inFlightMax = 0
  private var windowStart: Int64 = 0

  /// What may be in flight.
  private(set) var current: Int

  init(minimum: Int, maximum: Int, tolerancePercent: Int) {
    self.minimum = min(minimum, maximum)
    self.maximum = maximum
    tolerance = Double(tolerancePercent) / 100
    current = min(max(minimum, 20), maximum)
    exact = Double(current)
  }

  /// - Parameters:
  ///   - response: from the request to the response's head, in nanoseconds.
  ///   - inFlight: what was in flight meanwhile.
  mutating func record(response: Int64, inFlight: Int, now: Int64) {
    sum += Double(response)
    samples += 1
    inFlightMax = max(inFlightMax, inFlight)
    guard samples >= Self.windowSamples, now - windowStart >= Self.windowNanoseconds else { return }
    endWindow()
    windowStart = now
  }

  private mutating func endWindow() {
    let average = max(sum / Double(samples), 1)
    defer {
      sum = 0
      samples = 0
      inFlightMax = 0
    }
    usual = usual == 0 ? average : usual + (average - usual) * Self.usualWeight
    // After a long overload the usual time has to come down faster than it went up.
    if usual > 2 * average { usual *= 0.95 }
    // Where the limit was not what held requests back, their times say nothing about it.
    guard inFlightMax >= current / 2 else { return }
    let gradient = min(max(tolerance * usual / average, 0.5), 1)
    let wanted = exact * gradient + exact.squareRoot()
    exact += (wanted - exact) * Self.limitWeight
    exact = min(max(exact, Double(minimum)), Double(maximum))
    current = Int(exact)
  }
}
