import Glibc
import Runtime
import Simulation
import Synchronization

/// Runs worlds by their seeds, those that once found something first, and says what it found.
@main
enum Simulate {
  static func main() {
    guard let options = Options(Array(CommandLine.arguments.dropFirst())) else {
      report(Options.usage)
      exit(2)
    }
    CrashReport.install()
    if let seed = options.seed { exit(runAlone(seed, options) ? 0 : 1) }
    let campaign = Campaign(options)
    let threads = (0..<options.jobs).map { _ in Completion() }
    for (index, completion) in threads.enumerated() {
      BackgroundThread.start(name: "world-\(index)") {
        campaign.work(thread: index)
        completion.isDone.store(true, ordering: .releasing)
      }
    }
    while !threads.allSatisfy({ $0.isDone.load(ordering: .acquiring) }) {
      usleep(CrashReport.lookMicroseconds)
      if let seed = CrashReport.endless() {
        report("FAILED seed \(seed): its world does not come to an end")
        exit(1)
      }
    }
    exit(campaign.conclude() ? 0 : 1)
  }

  private final class Completion: Sendable {
    let isDone = Atomic(false)
  }

  /// Runs one world twice, and shows what it did.
  private static func runAlone(_ seed: UInt64, _ options: Options) -> Bool {
    let plan = WorldPlan(seed: seed, focus: options.focus)
    CrashReport.note(seed, thread: 0)
    report("seed \(seed): \(plan)")
    let first = World.run(plan, keepsTrace: true)
    let lines = options.showsAll ? first.lines.map(\.description) : first.excerpt(options.lines)
    if options.showsAll || !first.violations.isEmpty { for line in lines { report(line) } }
    let second = World.run(plan, keepsTrace: true)
    let isSame =
      first.fingerprint == second.fingerprint
      && first.lines.map(\.description) == second.lines.map(\.description)
    if !isSame { report("FAILED seed \(seed): two runs have different traces") }
    for violation in first.violations { report("FAILED seed \(seed): \(violation)") }
    let outcomes = first.outcomes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    report(
      "trace \(String(first.fingerprint, radix: 16)) of \(first.noteCount) notes, "
        + "\(first.requestCount) requests: " + outcomes.joined(separator: ", "))
    report("limits reached: \(first.limitsReached.sorted().joined(separator: ", "))")
    return first.violations.isEmpty && isSame
  }
}
