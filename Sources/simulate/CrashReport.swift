import Glibc
import Synchronization

/// Says which seeds were under way when a precondition ends the process, or when a world does not end.
enum CrashReport {
  /// The seed of each thread; 0: none.
  private static let running = (0..<64).map { _ in Running() }
  /// How often ``endless()`` is to be asked.
  static let lookMicroseconds: UInt32 = 20_000
  /// After so many looks, 180 s, no world is under way, whatever the build: a loop without end keeps the clock of its
  /// world still, so that only one from outside shows it. Looks are counted since no world gets on while the whole
  /// process is stopped.
  private static let looksMax = 9_000

  private final class Running: Sendable {
    let seed = Atomic<UInt64>(0)
    /// Since its world began.
    let looks = Atomic<Int>(0)
  }

  static func note(_ seed: UInt64, thread: Int) {
    let entry = running[thread % running.count]
    entry.looks.store(0, ordering: .relaxed)
    entry.seed.store(seed, ordering: .relaxed)
  }

  /// Looks once more at all worlds.
  /// - Returns: the seed of one that has been running for longer than any should.
  static func endless() -> UInt64? {
    for entry in running {
      let seed = entry.seed.load(ordering: .relaxed)
      if seed > 0, entry.looks.wrappingAdd(1, ordering: .relaxed).newValue > looksMax { return seed }
    }
    return nil
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
