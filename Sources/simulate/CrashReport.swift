import Glibc
import Synchronization

/// Says which seeds were under way when a precondition ends the process, or when a world does not end.
enum CrashReport {
  /// The seed of each thread; 0: none.
  private static let running = (0..<64).map { _ in Running() }
  /// Seconds that no world needs, whatever the build: a loop without end keeps the clock of its world still,
  /// so that only one from outside shows it.
  private static let patience = 180

  private final class Running: Sendable {
    let seed = Atomic<UInt64>(0)
    let began = Atomic<Int>(0)
  }

  static func note(_ seed: UInt64, thread: Int) {
    let entry = running[thread % running.count]
    entry.began.store(time(nil), ordering: .relaxed)
    entry.seed.store(seed, ordering: .relaxed)
  }

  /// A world that has been running for longer than any should.
  static var endless: UInt64? {
    let entry = running.first {
      $0.seed.load(ordering: .relaxed) > 0 && time(nil) - $0.began.load(ordering: .relaxed) > patience
    }
    return entry?.seed.load(ordering: .relaxed)
  }

  static func install() {
    for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS] {
      // Only says what was going on, and lets the signal do what it would have done.
      _ = signal(number) { number in
        CrashReport.say()
        _ = signal(number, SIG_DFL)
        raise(number)
      }
    }
  }

  private static func say() {
    for entry in running {
      let seed = entry.seed.load(ordering: .relaxed)
      if seed > 0 { report("FAILED seed \(seed), or one of those beside it: the program crashed") }
    }
  }
}

/// Writes a line at once.
func report(_ line: String) {
  print(line)
  // All streams: the one of standard output cannot be named safely.
  fflush(nil)
}
