/// Reads what limits clients, and what is done when there is too much to do.
enum OverloadReader {
  static let rateKeys = ["body", "response", "window"]
  static let admissionKeys = ["delay"]
  static let adaptiveKeys = ["minimum", "tolerance"]
  static let keys = rateKeys + admissionKeys

  static let rateMax = 1 << 30
  /// Below this, a few large messages would be too much.
  static let bufferBytesMin: UInt64 = 16 << 20

  static func readLimits(_ mapping: MappingReader, into limits: inout MessageLimits) {
    let connectionsMax = HTTPSettingsReader.connectionsMax
    mapping.read("connectionsPerAddress", into: &limits.connectionsPerAddress) {
      $0.integerOrNone(in: 1...connectionsMax)
    }
    mapping.read("handshakesPerAddress", into: &limits.handshakesPerAddress) {
      $0.integerOrNone(in: 1...HTTPSettingsReader.handshakesMax)
    }
    mapping.read("inFlight", into: &limits.inFlight) { $0.integer(in: 1...connectionsMax) }
    mapping.read("bufferBytes", into: &limits.bufferBytes) { $0.size(in: bufferBytesMin...(1 << 46)) }
  }

  static func readRates(_ value: Value) -> ClientRates? {
    guard let mapping = MappingReader(value, keys: rateKeys) else { return nil }
    var rates = ClientRates()
    mapping.read("body", into: &rates.body) { $0.integerOrNone(in: 1...rateMax) }
    mapping.read("response", into: &rates.response) { $0.integerOrNone(in: 1...rateMax) }
    mapping.read("window", into: &rates.window) { $0.duration() }
    return rates
  }

  static func readAdmission(_ value: Value) -> Admission?? {
    if value.isWord("off") { return .some(nil) }
    guard let mapping = MappingReader(value, keys: admissionKeys, wanted: "a mapping, or off") else {
      return nil
    }
    var admission = Admission()
    mapping.read("delay", into: &admission.delay) { $0.duration() }
    return admission
  }

  static func readAdaptive(_ value: Value) -> AdaptiveConcurrency?? {
    if value.isWord("off") { return .some(nil) }
    if value.isWord("true") { return AdaptiveConcurrency() }
    guard let mapping = MappingReader(value, keys: adaptiveKeys, wanted: "a mapping, true or off") else {
      return nil
    }
    var adaptive = AdaptiveConcurrency()
    mapping.read("minimum", into: &adaptive.minimum) { $0.integer(in: 1...ServiceReader.countMax) }
    mapping.read("tolerance", into: &adaptive.tolerancePercent, readTolerance)
    return adaptive
  }

  /// Unlike other percentages, always more than the whole.
  private static func readTolerance(_ value: Value) -> Int? {
    guard let text = value.text("a percentage such as 150%") else { return nil }
    guard text.hasSuffix("%"), let number = Int(text.dropLast()), (101...1_000).contains(number) else {
      value.report("\(quoted(text)) is no tolerance", hint: "from 101% to 1000%")
      return nil
    }
    return number
  }
}
