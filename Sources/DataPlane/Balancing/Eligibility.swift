import Runtime

/// Which endpoints may be picked now.
struct Eligibility {
  let now: MonotonicTime
  /// A bit for each of the first 64 endpoints that is not wanted again.
  var tried: UInt64
  var ignoresEjection = false
  /// Not the first look for this request: nothing was found under stricter terms.
  var isRelaxed = false

  @inline(__always)
  func admits(_ endpoint: Endpoint, at index: Int) -> Bool {
    guard endpoint.isHealthy, endpoint.weight > 0 else { return false }
    if !ignoresEjection, endpoint.ejectedUntil > now { return false }
    return index >= 64 || tried &>> UInt64(truncatingIfNeeded: index) & 1 == 0
  }

  func admitsAny(of endpoints: [Endpoint]) -> Bool {
    for index in endpoints.indices where admits(endpoints[index], at: index) { return true }
    return false
  }
}
