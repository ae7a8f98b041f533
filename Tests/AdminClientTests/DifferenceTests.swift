import Resources
import Testing

@testable import AdminClient

@Suite struct DifferenceTests {
  /// What the edits make of what they were made from.
  private func sides(_ edits: [LineDifference.Edit]) -> (before: [String], after: [String]) {
    edits.reduce(into: ([], [])) { sides, edit in
      switch edit {
      case .keep(let line):
        sides.0.append(line)
        sides.1.append(line)
      case .remove(let line): sides.0.append(line)
      case .add(let line): sides.1.append(line)
      }
    }
  }

  private func changeCount(_ edits: [LineDifference.Edit]) -> Int {
    edits.count { if case .keep = $0 { false } else { true } }
  }

  /// The least number of removed and added lines, by the table that defines it.
  private func distance(_ a: [String], _ b: [String]) -> Int {
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var diagonal = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let above = row[j + 1]
        row[j + 1] = a[i] == b[j] ? diagonal : min(above, row[j]) + 1
        diagonal = above
      }
    }
    return row[b.count]
  }

  @Test func editsAreRightAndFewest() {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<2_000 {
      let make = { (generator: inout SeededGenerator) in
        (0..<Int.random(in: 0...9, using: &generator)).map { _ in
          ["a", "b", "c"].randomElement(using: &generator) ?? ""
        }
      }
      let (before, after) = (make(&generator), make(&generator))
      let edits = LineDifference.edits(from: before, to: after)
      #expect(sides(edits).before == before)
      #expect(sides(edits).after == after)
      #expect(changeCount(edits) == distance(before, after), "\(before) \(after)")
    }
  }

  @Test func farApartIsReplacedAsAWhole() {
    let before = (0..<5_000).map { "before \($0)" }
    let after = (0..<5_000).map { "after \($0)" }
    let edits = LineDifference.edits(from: ["x"] + before, to: ["x"] + after + ["y"])
    #expect(sides(edits).before == ["x"] + before)
    #expect(sides(edits).after == ["x"] + after + ["y"])
    #expect(edits[1] == .remove("before 0"))
  }

  @Test func hunksHaveTheirContextAndNumbers() {
    let before = (1...20).map { "line \($0)\n" }.joined()
    let after = before.replacing("line 4\n", with: "line four\n").replacing("line 18\n", with: "")
    #expect(
      UnifiedDifference.text(from: before, to: after, names: ("a", "b")) == """
        --- a
        +++ b
        @@ -1,7 +1,7 @@
         line 1
         line 2
         line 3
        -line 4
        +line four
         line 5
         line 6
         line 7
        @@ -15,6 +15,5 @@
         line 15
         line 16
         line 17
        -line 18
         line 19
         line 20

        """)
  }

  @Test func nothingOnOneSideIsLineZero() {
    #expect(
      UnifiedDifference.text(from: "", to: "a\nb\n", names: ("/dev/null", "b"))
        == "--- /dev/null\n+++ b\n@@ -0,0 +1,2 @@\n+a\n+b\n")
    #expect(UnifiedDifference.text(from: "a\n", to: "a\n", names: ("a", "b")).isEmpty)
  }

  // MARK: Resources

  private func compare(_ kind: ResourceKind, _ before: String?, _ after: String?) throws -> String {
    let versions = ResourceVersions(
      id: ResourceID(kind, "shop"), before: try before.map { try ResourceBody(yaml: $0) },
      after: try after.map { try ResourceBody(yaml: $0) })
    return ResourceComparison.text(versions, names: ("gateway", "file"))
  }

  @Test func shortFormsAreTheSameAsWhatTheyStandFor() throws {
    #expect(
      try compare(
        .routes, "{name: shop, service: shop}",
        "{name: shop, backends: [{service: shop, weight: 1}], match: [{path: {prefix: /}}]}") == "")
  }

  @Test func whatDiffersIsALine() throws {
    let text = try compare(
      .services, "{name: shop, endpoints: [\"127.0.0.1:80\"]}",
      "{name: shop, endpoints: [\"127.0.0.1:80\"], timeouts: {connect: 7s}}")
    let changed = text.split(separator: "\n").dropFirst(2).filter { $0.hasPrefix("-") || $0.hasPrefix("+") }
    #expect(changed.count == 2, "\(text)")
    #expect(changed.last?.hasSuffix("connect: 7s") == true)
  }

  @Test func newAndDeletedHaveOneSide() throws {
    let made = try compare(.routes, nil, "{name: shop, service: shop}")
    #expect(made.hasPrefix("--- /dev/null\n+++ file\n@@ -0,0 +1,"))
    let deleted = try compare(.routes, "{name: shop, service: shop}", nil)
    #expect(deleted.hasPrefix("--- gateway\n+++ /dev/null\n"))
  }

  @Test func keysAreNeverShown() throws {
    let certificate = "-----BEGIN CERTIFICATE-----\\nMA==\\n-----END CERTIFICATE-----\\n"
    let key = "-----BEGIN PRIVATE KEY-----\\nc2VjcmV0\\n-----END PRIVATE KEY-----\\n"
    let text = try compare(
      .certificates, nil, "{name: shop, certificate: \"\(certificate)\", key: \"\(key)\"}")
    #expect(text.contains("BEGIN CERTIFICATE"))
    #expect(!text.contains("PRIVATE KEY") && !text.contains("c2VjcmV0"))
    // Not even where the rest cannot be read.
    let unread = try compare(.certificates, nil, "{name: shop, unknown: 1, key: \"\(key)\"}")
    #expect(unread.contains("unknown"))
    #expect(!unread.contains("c2VjcmV0"))
  }
}

/// A generator whose numbers are the same each time (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
