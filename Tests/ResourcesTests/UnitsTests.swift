import Testing

@testable import Resources

@Suite struct UnitsTests {
  @Test(arguments: [
    ("500ms", Duration.milliseconds(500)), ("2s", .seconds(2)), ("1m", .seconds(60)),
    ("1h", .seconds(3_600)), ("1m30s", .seconds(90)), ("1h2m3s4ms", .milliseconds(3_723_004)),
    ("0s", .zero), ("720h", .seconds(2_592_000)), ("30d", .seconds(2_592_000)), ("1d12h", .seconds(129_600)),
  ])
  func durations(text: String, duration: Duration) throws {
    #expect(try DurationText.parse(text) == duration)
  }

  @Test(arguments: [
    ("5", DurationText.Failure.unitMissing), ("", .malformed), ("s", .malformed), ("1.5s", .malformed),
    ("-1s", .malformed), ("1s2m", .malformed), ("1s1s", .malformed), ("1 s", .malformed), ("1y", .malformed),
    ("12h1d", .malformed), ("31d", .tooLong),
    ("1m30", .malformed), ("721h", .tooLong), ("99999999999999999999s", .tooLong),
    ("999999999999999999h", .tooLong),
  ])
  func wrongDurations(text: String, failure: DurationText.Failure) {
    #expect(throws: failure) { try DurationText.parse(text) }
  }

  @Test(arguments: [
    (Duration.zero, "0s"), (.milliseconds(1), "1ms"), (.milliseconds(1_500), "1500ms"), (.seconds(75), "75s"),
    (.seconds(60), "1m"), (.seconds(3_600), "1h"), (.seconds(5_400), "90m"),
    (.seconds(86_400), "1d"), (.seconds(129_600), "36h"),
  ])
  func durationsAreWritten(duration: Duration, text: String) throws {
    #expect(DurationText.format(duration) == text)
    #expect(try DurationText.parse(text) == duration)
  }

  @Test(arguments: [
    ("16KiB", UInt64(16_384)), ("64kb", 64_000), ("1MiB", 1_048_576), ("1mib", 1_048_576), ("8192", 8_192),
    ("2GB", 2_000_000_000), ("10B", 10), ("0", 0),
  ])
  func sizes(text: String, bytes: UInt64) {
    #expect(SizeText.parse(text) == bytes)
  }

  @Test(arguments: ["", "KiB", "16K", "16 KiB", "-1", "1.5MiB", "99999999999TiB", "16XiB", "0x10"])
  func wrongSizes(text: String) {
    #expect(SizeText.parse(text) == nil)
  }

  @Test(arguments: [
    (UInt64(16_384), "16KiB"), (1_048_576, "1MiB"), (1_000, "1000"), (0, "0"), (1 << 40, "1TiB"),
  ])
  func sizesAreWritten(bytes: UInt64, text: String) {
    #expect(SizeText.format(bytes) == text)
    #expect(SizeText.parse(text) == bytes)
  }
}

@Suite struct SuggestionTests {
  private let keys = ["round-robin", "least-request", "hash", "sticky", "slowStart", "off", "on"]

  @Test(arguments: [
    ("round-robbin", "round-robin"), ("roundrobin", "round-robin"), ("slow_start", "slowStart"),
    ("hsah", "hash"), ("stciky", "sticky"), ("leastrequest", "least-request"), ("of", "off"),
    ("round", "round-robin"), ("request", "least-request"),
  ])
  func findsTheNearest(word: String, nearest: String) {
    #expect(Suggestion.nearest(to: word, among: keys) == nearest)
  }

  @Test(arguments: ["", "x", "random", "weighted", "no"])
  func staysSilent(word: String) {
    #expect(Suggestion.nearest(to: word, among: ["round-robin", "hash", "sticky", "off"]) == nil)
  }

  @Test(arguments: [
    ("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1), ("abcd", "abd", 1),
    ("kitten", "sitting", 3),
  ])
  func editDistance(a: String, b: String, distance: Int) {
    #expect(Suggestion.editDistance(Array(a.utf8), Array(b.utf8)) == distance)
    #expect(Suggestion.editDistance(Array(b.utf8), Array(a.utf8)) == distance)
  }
}
