import Glibc
import Synchronization

/// Says which seeds were under way when a precondition ends the process.
enum CrashReport {
  /// The seed of each thread; 0: none.
  private static let running = (0..<64).map { _ in Running() }

  private final class Running: Sendable {
    let seed = Atomic<UInt64>(0)
  }

  static func note(_ seed: UInt64, thread: Int) {
    running[thread % running.count].seed.store(seed, ordering: .relaxed)
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
