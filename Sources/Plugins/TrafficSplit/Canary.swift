import DataPlane
import Resources

/// A new version of a service, as ingress-nginx's canary annotations say it: a field decides before a cookie, and
/// a cookie before the weight.
struct Canary: Sendable {
  static let options: [PluginOption] = [
    .required("service", .service, "The service beside the route's own."),
    PluginOption(
      "header", .token("a name of a field"),
      "A field whose value decides: always, never, or as headerValue and headerPattern say."),
    PluginOption("headerValue", .fieldValue, "The value that sends there, in place of always and never."),
    PluginOption(
      "headerPattern", .regex,
      "An expression (RE2) that has to be found in the value, in place of always and never."),
    PluginOption("cookie", .token("a name of a cookie"), "A cookie whose value decides: always or never."),
    PluginOption(
      "weight", .integer(0...1_000_000_000), default: .integer(0), "The share of the rest, of weightTotal."),
    PluginOption("weightTotal", .integer(1...1_000_000_000), default: .integer(100), "The whole."),
  ]

  let service: String
  /// In lower case.
  let header: [UInt8]?
  let headerValue: [UInt8]?
  let headerPattern: String?
  let cookie: [UInt8]?
  let weight: Int
  let weightTotal: Int

  init(_ values: OptionValues) throws(OptionProblem) {
    service = values.text("service") ?? ""
    header = values.text("header").map { Array($0.lowercased().utf8) }
    headerValue = values.text("headerValue").map { Array($0.utf8) }
    headerPattern = values.text("headerPattern")
    cookie = values.text("cookie").map { Array($0.utf8) }
    weight = values.integer("weight") ?? 0
    weightTotal = values.integer("weightTotal") ?? 100
    for option in ["headerValue", "headerPattern"] where values.isGiven(option) && header == nil {
      throw OptionProblem(
        "canary.\(option)", "there is no header whose value it could be", hint: "write header as well")
    }
    guard headerValue == nil || headerPattern == nil else {
      throw OptionProblem(
        "canary.headerPattern", "headerValue says already which value it is", hint: "keep one of them")
    }
    guard weight <= weightTotal else {
      throw OptionProblem(
        "canary.weight", "\(weight) is more than the whole, which is \(weightTotal)",
        hint: "weightTotal says what the whole is")
    }
    guard header != nil || cookie != nil || weight > 0 else {
      throw OptionProblem("canary", "no request would go to it", hint: "write header, cookie or weight")
    }
  }
}

/// ``Canary`` as a worker asks it.
struct ReadyCanary {
  enum Choice: Equatable {
    case canary(by: String)
    case own
    /// The weight decides.
    case drawn
  }

  private static let always = Array("always".utf8)
  private static let never = Array("never".utf8)

  let canary: Canary
  /// The worker's own.
  private let expression: RegularExpression?

  init(_ canary: Canary) {
    self.canary = canary
    // It was compiled when the configuration was read.
    expression = canary.headerPattern.flatMap { try? RegularExpression($0) }
  }

  func choice(_ request: some RequestFacts) -> Choice {
    if let header = canary.header, let choice = request.withFirstField(header, byHeader), choice != .drawn {
      return choice
    }
    if let cookie = canary.cookie, let choice = request.withCookie(cookie, { Self.word($0, by: "cookie") }) {
      return choice
    }
    return .drawn
  }

  private func byHeader(_ value: Span<UInt8>) -> Choice {
    if let wanted = canary.headerValue { return value.equals(wanted) ? .canary(by: "header") : .drawn }
    if let expression { return expression.matchesPart(of: value) ? .canary(by: "header") : .drawn }
    return Self.word(value, by: "header")
  }

  private static func word(_ value: Span<UInt8>, by part: String) -> Choice {
    if value.equals(always) { return .canary(by: part) }
    return value.equals(never) ? .own : .drawn
  }

  func isHit(_ draw: UInt64) -> Bool { Draw.number(draw, below: canary.weightTotal) < canary.weight }

  var share: Double { Double(canary.weight) / Double(canary.weightTotal) }
}
