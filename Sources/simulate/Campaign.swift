import Glibc
import Runtime
import Simulation
import Synchronization

/// Many worlds, on several threads.
final class Campaign: Sendable {
  private struct State {
    var corpus: [UInt64]
    var next: UInt64
    var tally = Tally()
  }

  private struct Tally {
    var worlds = 0
    var replays = 0
    var requests = 0
    var messages = 0
    var notes = 0
    var failures: [UInt64] = []
    /// Worlds by the limits that were reached in them.
    var limits: [String: Int] = [:]
    /// Over all traces, in no order.
    var fingerprint: UInt64 = 0
  }

  private let options: Options
  private let state: Mutex<State>
  private let began = time(nil)
  private let corpusCount: Int

  init(_ options: Options) {
    self.options = options
    let corpus = options.corpus.map(Self.seeds(in:)) ?? []
    corpusCount = corpus.count
    state = Mutex(State(corpus: corpus.reversed(), next: options.firstSeed))
  }

  /// Seeds of a file, one at the beginning of each line; behind it stands why it is there.
  private static func seeds(in path: String) -> [UInt64] {
    guard let file = unsafe fopen(path, "r") else {
      report("cannot read \(path)")
      exit(2)
    }
    defer { unsafe fclose(file) }
    var seeds: [UInt64] = []
    var line = [CChar](repeating: 0, count: 1_024)
    // Reads at most the array's size, with the zero that ends it.
    while unsafe fgets(&line, Int32(line.count), file) != nil {
      let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      let text = String(decoding: bytes, as: UTF8.self)
      if let seed = text.split(whereSeparator: \.isWhitespace).first.flatMap({ UInt64($0) }) {
        seeds.append(seed)
      }
    }
    return seeds
  }

  private func takeSeed() -> UInt64? {
    state.withLock { state in
      if state.tally.failures.count >= options.failuresMax { return nil }
      if let seed = state.corpus.popLast() { return seed }
      if let seconds = options.seconds {
        if seconds > 0 && time(nil) - began >= seconds { return nil }
      } else if state.next >= options.firstSeed + options.seeds {
        return nil
      }
      defer { state.next += 1 }
      return state.next
    }
  }

  /// Takes seeds until there are none.
  func work(thread: Int) {
    while let seed = takeSeed() {
      CrashReport.note(seed, thread: thread)
      let plan = WorldPlan(seed: seed, focus: options.focus)
      let result = World.run(plan)
      var problems = result.violations.map(\.text)
      let isReplayed = seed % options.replayEvery == 0 && problems.isEmpty
      if isReplayed, World.run(plan).fingerprint != result.fingerprint {
        problems.append("two runs of the same seed have different traces")
      }
      note(result, isReplayed: isReplayed, problems)
    }
    CrashReport.note(0, thread: thread)
  }

  private func note(_ result: WorldReport, isReplayed: Bool, _ problems: [String]) {
    let seed = result.plan.seed
    state.withLock { state in
      state.tally.worlds += 1
      state.tally.replays += isReplayed ? 1 : 0
      state.tally.requests += result.requestCount
      state.tally.messages += result.messageCount
      state.tally.notes += result.noteCount
      state.tally.fingerprint ^= result.fingerprint
      for limit in result.limitsReached { state.tally.limits[limit, default: 0] += 1 }
      if state.tally.worlds % 500 == 0 { report("\(state.tally.worlds) worlds") }
      guard !problems.isEmpty else { return }
      state.tally.failures.append(seed)
      report("\nseed \(seed): \(result.plan)")
      for line in result.excerpt(options.lines) { report("  \(line)") }
      for problem in problems { report("FAILED seed \(seed): \(problem)") }
      let focus = options.focus == .any ? "" : " FOCUS=\(options.focus.rawValue)"
      report("replay: make simulate SEED=\(seed)\(focus)")
    }
  }

  /// Says what came of it all.
  /// - Returns: whether nothing was found.
  func conclude() -> Bool {
    state.withLock { state in
      let tally = state.tally
      report(
        "\(tally.worlds) worlds (\(corpusCount) of the corpus), \(tally.replays) of them twice, in "
          + "\(time(nil) - began) s: \(tally.requests) requests, \(tally.messages) messages read by "
          + "the strict reader, \(tally.notes) notes, traces \(String(tally.fingerprint, radix: 16))")
      let limits = tally.limits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      report("worlds in which a limit was reached: " + limits.joined(separator: ", "))
      if !tally.failures.isEmpty {
        report("FAILED: seeds \(tally.failures.map(String.init).joined(separator: ", "))")
      }
      return tally.failures.isEmpty
    }
  }
}
