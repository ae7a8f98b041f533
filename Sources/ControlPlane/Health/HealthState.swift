/// What a series of checks says about an endpoint.
///
/// Before the first check an endpoint counts as healthy, and that check decides at once, as with
/// HAProxy and Envoy: a new endpoint need not wait for `rise` checks, and a dead one is left alone
/// after one. From then on it takes `fall` failures in a row to leave and `rise` successes to return.
struct HealthState {
  /// `nil` before the first check.
  private(set) var isHealthy: Bool?
  /// Results in a row that speak against the present state.
  private var streak = 0

  /// Takes a result in; returns the new state when that was the first result or a change.
  mutating func record(success: Bool, rise: Int, fall: Int) -> Bool? {
    guard let present = isHealthy else {
      isHealthy = success
      return success
    }
    guard success != present else {
      streak = 0
      return nil
    }
    streak += 1
    guard streak >= (success ? rise : fall) else { return nil }
    streak = 0
    isHealthy = success
    return success
  }

  /// Begins a series by other rules: the state holds until the next check, which decides at once.
  mutating func restart() {
    streak = 0
    isHealthy = nil
  }
}
