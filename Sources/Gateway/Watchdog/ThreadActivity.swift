import Foundation

/// What the kernel says of a thread: whether it runs, and what it has run and waited so far (proc(5)).
struct ThreadActivity: Sendable, Equatable {
  /// `R` runs or could, `S` and `D` wait in the system, `T` and `t` are stopped.
  var state: Character = "?"
  /// Nanoseconds on a CPU.
  var running: UInt64 = 0
  /// Nanoseconds in which it could have run, and others did.
  var waiting: UInt64 = 0
  /// Where in the kernel it waits; empty where it does not, or nobody may know.
  var place = ""

  /// Nil where the kernel tells nothing.
  static func read(thread: Int32) -> ThreadActivity? {
    let folder = "/proc/self/task/\(thread)/"
    func text(_ name: String) -> String? { try? String(contentsOfFile: folder + name, encoding: .utf8) }
    // The state is behind the name, which may hold anything.
    guard let stat = text("stat"), let end = stat.lastIndex(of: ")"),
      let state = stat[stat.index(after: end)...].first(where: { $0 != " " })
    else { return nil }
    var activity = ThreadActivity()
    activity.state = state
    let times = (text("schedstat") ?? "").split(separator: " ").compactMap { UInt64($0) }
    if times.count >= 2 { (activity.running, activity.waiting) = (times[0], times[1]) }
    if let place = text("wchan"), place != "0" { activity.place = place }
    return activity
  }

  /// What the thread has done since then, for a person to read.
  func description(since earlier: ThreadActivity, over elapsed: Duration) -> String {
    if state == "T" || state == "t" { return "it is stopped" }
    let whole = max(elapsed / .nanoseconds(1), 1)
    func share(_ now: UInt64, _ then: UInt64) -> Int { Int((Double(now &- then) / whole * 100).rounded()) }
    let (ran, waited) = (share(running, earlier.running), share(waiting, earlier.waiting))
    if ran >= 50 { return "it computes, for \(min(ran, 100)) % of the time" }
    if waited >= 50 { return "it waits for a CPU, for \(min(waited, 100)) % of the time" }
    // Between the two: the kernel counts a wait for a CPU when it is over. It may count nothing at all.
    if state == "R" && running == 0 { return "it could run" }
    if state == "R" { return "it could run, and has had a CPU for \(ran) % of the time" }
    return place.isEmpty ? "it waits in the system" : "it waits in the system (\(place))"
  }
}
