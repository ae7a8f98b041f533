/// Builds a page in Prometheus's text format, version 0.0.4.
struct PrometheusText {
  enum Kind: String {
    case counter, gauge, histogram
  }

  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private(set) var text = ""
  private var name = ""

  /// Begins a metric: all its samples follow before the next one begins.
  mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    self.name = name
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  mutating func sample(_ labels: KeyValuePairs<String, String>, _ value: UInt64) {
    sample(labels, String(value))
  }

  mutating func sample(_ labels: KeyValuePairs<String, String>, _ value: Int) {
    sample(labels, String(value))
  }

  /// A sample without labels.
  mutating func sample(_ value: Double) { sample([:], Self.number(value)) }

  /// A metric of one sample.
  mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: UInt64) {
    begin(name, kind, help)
    sample([:], value)
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Int) {
    begin(name, .gauge, help)
    sample([:], value)
  }

  /// A sample of the present metric, whose name `suffix` is added to.
  mutating func sample(
    suffix: StaticString = "", _ labels: KeyValuePairs<String, String>, _ value: String
  ) {
    text += name
    text += suffix.description
    if !labels.isEmpty {
      var separator = "{"
      for (label, value) in labels {
        text += separator + label + "=\""
        Self.appendEscaped(value, to: &text)
        text += "\""
        separator = ","
      }
      text += "}"
    }
    text += " " + value + "\n"
  }

  /// Label values may hold anything but a backslash, a quote and a line's end as they are.
  private static func appendEscaped(_ value: String, to text: inout String) {
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(scalar)
      }
    }
  }

  /// As Go reads it; whole numbers without a fraction.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
    return "\(value)"
  }
}
