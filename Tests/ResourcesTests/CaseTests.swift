import Foundation
import Plugins
import Testing

@testable import Resources

/// Cases as files: `NAME.yaml` with `NAME.errors` (what is reported, one line each) or
/// `NAME.expected.yaml` (the configuration in full) beside it.
///
/// Set PENSTOCK_RECORD_CASES=1 to write the results that are missing; read them before committing.
@Suite struct CaseTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")
  static let examples = folder.deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "examples")

  static func files(in folder: URL) -> [String] {
    let names =
      (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    return names.filter { $0.hasSuffix(".yaml") && !$0.hasSuffix(".expected.yaml") }.sorted()
  }

  static let names = files(in: folder).map { String($0.dropLast(5)) }
  static let exampleNames = files(in: examples)

  private func text(_ name: String) throws -> String {
    try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
  }

  @Test func thereAreCases() {
    #expect(Self.names.count >= 50)
  }

  @Test(arguments: names)
  func fileGivesWhatIsBesideIt(name: String) throws {
    let source = try text(name + ".yaml")
    let result: String
    let suffix: String
    do throws(ConfigurationErrors) {
      result = try ConfigurationFile.load(text: source, path: name + ".yaml", plugins: .standard).yaml
      suffix = ".expected.yaml"
    } catch {
      result = error.description + "\n"
      suffix = ".errors"
    }
    let beside = Self.folder.appending(path: name + suffix)
    if ProcessInfo.processInfo.environment["PENSTOCK_RECORD_CASES"] == "1",
      !FileManager.default.fileExists(atPath: beside.path(percentEncoded: false))
    {
      try result.write(to: beside, atomically: true, encoding: .utf8)
    }
    let expected = try? text(name + suffix)
    #expect(result == expected, "see \(name)\(suffix)")
  }

  @Test(arguments: names)
  func whatLoadsComesBackEqual(name: String) throws {
    guard let first = try? ConfigurationFile.load(text: text(name + ".yaml"), path: name, plugins: .standard)
    else { return }
    let second = try ConfigurationFile.load(text: first.yaml, path: name + " written", plugins: .standard)
    #expect(first == second)
    #expect(first.yaml == second.yaml)
  }

  @Test func thereAreExamples() {
    #expect(Self.exampleNames.contains("minimal.yaml"))
    #expect(Self.exampleNames.contains("full.yaml"))
    #expect(Self.exampleNames.contains("canary.yaml"))
    #expect(Self.exampleNames.contains("tls.yaml"))
  }

  @Test(arguments: exampleNames)
  func examplesLoad(name: String) throws {
    let text = try String(contentsOf: Self.examples.appending(path: name), encoding: .utf8)
    let configuration = try ConfigurationFile.load(text: text, path: name, plugins: .standard)
    #expect(
      try ConfigurationFile.load(text: configuration.yaml, path: name, plugins: .standard) == configuration)
  }

  /// The reference and the example that shows every key cannot fall behind the reader.
  @Test func theFullExampleAndTheReferenceNameEveryKey() throws {
    let full = try String(contentsOf: Self.examples.appending(path: "full.yaml"), encoding: .utf8)
    let reference = try String(
      contentsOf: Self.examples.deletingLastPathComponent().appending(path: "docs/configuration.md"),
      encoding: .utf8)
    let keys =
      ConfigurationReader.keys + ListenerReader.keys + HTTPSettingsReader.allKeys + ServiceReader.allKeys
      + HealthReader.keys + RouteReader.keys + MatchReader.keys + MatchReader.grpcKeys
      + ListenerTLSReader.allKeys + CertificateReader.keys + HTTPSOnlyReader.redirectKeys
      + HTTPSOnlyReader.hstsKeys + AdminReader.allKeys
    for key in Set(keys).sorted() {
      #expect(full.contains(key + ":"), "examples/full.yaml has no \(key)")
      #expect(reference.contains("`\(key)`"), "docs/configuration.md has no `\(key)`")
    }
  }
}
