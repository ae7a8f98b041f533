import Foundation
import Testing

/// What the fuzzer has found to be worth keeping, checked again: docs/fuzzing.md says how it comes here.
@Suite("Fuzzing: corpora")
struct CorpusTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Corpora")

  private func inputs(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    let folder = Self.folder.appending(path: target.rawValue)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))
    return try names.sorted().map { ($0, Array(try Data(contentsOf: folder.appending(path: $0)))) }
  }

  @Test("Every property holds for every input of the corpus", arguments: FuzzTarget.allCases)
  func replay(target: FuzzTarget) throws {
    let inputs = try inputs(target)
    #expect(inputs.count >= 10, "the corpus of \(target.rawValue) is not there")
    for input in inputs {
      do throws(BrokenProperty) {
        try target.check(input.bytes)
      } catch {
        Issue.record("\(target.rawValue)/\(input.name): \(error)")
      }
    }
  }

  /// Seconds, and a repository that people still clone.
  @Test("Corpora stay small", arguments: FuzzTarget.allCases)
  func size(target: FuzzTarget) throws {
    let inputs = try inputs(target)
    #expect(inputs.count <= 200)
    #expect(inputs.reduce(0) { $0 + $1.bytes.count } <= 300_000)
  }

  /// Each folder belongs to a target: a corpus whose target was renamed would not be replayed.
  @Test func everyCorpusHasATarget() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path(percentEncoded: false))
    for name in names { #expect(FuzzTarget(rawValue: name) != nil, "\(name) is no target") }
  }
}
