/// A strict reader of Prometheus's text format 0.0.4: refuses what a scraper might misread.
struct PrometheusParser {
  struct Sample {
    var name: String
    var labels: [String: String]
    var value: Double
  }

  struct Metric {
    var name: String
    var kind: String
    var help: String
    var samples: [Sample] = []
  }

  struct Failure: Error, CustomStringConvertible {
    var line: Int
    var reason: String
    var description: String { "line \(line): \(reason)" }
  }

  private(set) var metrics: [Metric] = []
  private var line = 0
  private var seen: Set<String> = []

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw Failure(line: 0, reason: "the last line does not end") }
    for content in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
      line += 1
      if content.hasPrefix("# HELP ") {
        try readHelp(content.dropFirst(7))
      } else if content.hasPrefix("# TYPE ") {
        try readType(content.dropFirst(7))
      } else {
        try readSample(content)
      }
    }
    for metric in metrics where metric.kind == "histogram" { try check(histogram: metric) }
  }

  subscript(name: String) -> Metric? { metrics.first { $0.name == name } }

  /// The value of the one sample with these labels.
  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    for metric in metrics {
      for sample in metric.samples where sample.name == name && sample.labels == labels {
        return sample.value
      }
    }
    return nil
  }

  private func fail(_ reason: String) -> Failure { Failure(line: line, reason: reason) }

  private mutating func readHelp(_ rest: Substring) throws {
    let parts = rest.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, isName(parts[0]) else { throw fail("bad HELP") }
    guard self[String(parts[0])] == nil else { throw fail("\(parts[0]) is split in two") }
    metrics.append(Metric(name: String(parts[0]), kind: "", help: String(parts[1])))
  }

  private mutating func readType(_ rest: Substring) throws {
    let parts = rest.split(separator: " ")
    guard parts.count == 2, let last = metrics.indices.last, metrics[last].name == parts[0],
      metrics[last].kind.isEmpty, ["counter", "gauge", "histogram"].contains(String(parts[1]))
    else { throw fail("bad TYPE") }
    metrics[last].kind = String(parts[1])
    if parts[1] == "counter", !parts[0].hasSuffix("_total") { throw fail("a counter ends in _total") }
  }

  private mutating func readSample(_ text: Substring) throws {
    guard let last = metrics.indices.last, !metrics[last].kind.isEmpty else { throw fail("no TYPE before") }
    var rest = text
    let name = String(rest.prefix { $0 != "{" && $0 != " " })
    rest = rest.dropFirst(name.count)
    guard isName(Substring(name)) else { throw fail("bad name") }
    let suffixes = metrics[last].kind == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    guard suffixes.contains(where: { metrics[last].name + $0 == name }) else {
      throw fail("\(name) is not of \(metrics[last].name)")
    }
    var labels: [String: String] = [:]
    if rest.first == "{" {
      rest = rest.dropFirst()
      while rest.first != "}" {
        let (label, value) = try readLabel(&rest)
        guard labels.updateValue(value, forKey: label) == nil else { throw fail("\(label) twice") }
        if rest.first == "," { rest = rest.dropFirst() } else if rest.first != "}" { throw fail("no comma") }
      }
      rest = rest.dropFirst()
    }
    guard rest.first == " ", let value = number(rest.dropFirst()) else { throw fail("bad value in \(text)") }
    let identity = name + "\(labels.sorted { $0.key < $1.key })"
    guard seen.insert(identity).inserted else { throw fail("the sample \(identity) comes twice") }
    if metrics[last].kind != "gauge", value < 0 { throw fail("a count is negative") }
    metrics[last].samples.append(Sample(name: name, labels: labels, value: value))
  }

  private func readLabel(_ rest: inout Substring) throws -> (String, String) {
    let label = String(rest.prefix { $0 != "=" })
    rest = rest.dropFirst(label.count)
    guard isName(Substring(label)), !label.contains(":"), rest.hasPrefix("=\"") else {
      throw fail("bad label")
    }
    rest = rest.dropFirst(2)
    var value = ""
    while let character = rest.popFirst() {
      if character == "\"" { return (label, value) }
      guard character == "\\" else {
        value.append(character)
        continue
      }
      switch rest.popFirst() {
      case "\\": value.append("\\")
      case "\"": value.append("\"")
      case "n": value.append("\n")
      default: throw fail("bad escape")
      }
    }
    throw fail("a label's value does not end")
  }

  private func isName(_ text: Substring) -> Bool {
    guard let first = text.first, !first.isNumber else { return false }
    return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
  }

  private func number(_ text: Substring) -> Double? {
    switch text {
    case "+Inf": .infinity
    case "-Inf": -.infinity
    case "NaN": .nan
    default: text.contains(" ") ? nil : Double(text)
    }
  }

  /// Buckets grow with their bounds, end with `+Inf`, and agree with the count.
  private func check(histogram: Metric) throws {
    let groups = Dictionary(grouping: histogram.samples) { sample in
      sample.labels.filter { $0.key != "le" }.sorted { $0.key < $1.key }.map { "\($0)" }.joined()
    }
    for samples in groups.values {
      let buckets = samples.filter { $0.name.hasSuffix("_bucket") }
      let bounds = buckets.compactMap { $0.labels["le"].flatMap { number(Substring($0)) } }
      let counts = buckets.map(\.value)
      guard bounds.count == buckets.count, bounds == bounds.sorted(), bounds.last == .infinity,
        counts == counts.sorted(), samples.count == buckets.count + 2,
        samples.first(where: { $0.name.hasSuffix("_count") })?.value == counts.last
      else { throw fail("\(histogram.name) is not a histogram") }
    }
  }
}
