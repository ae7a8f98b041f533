import DataPlane
import Resources
import Runtime

/// Has other services than the route's take some of its requests. The rules are APISIX's traffic-split, the canary
/// is ingress-nginx's.
public struct TrafficSplit: PluginSettings {
  public static let name = "traffic-split"
  public static let summary =
    "Sends some requests to other services: by conditions, by weights, or as a canary."
  /// That of Kong's canary.
  public static let priority = 13

  static let rulesMax = 64
  private static let servicesMax = 32

  private static let share = [
    PluginOption("service", .service, "Which takes the share; where this is left out, the route's own."),
    PluginOption("weight", .integer(0...1_000_000), default: .integer(1), "Of the share, beside the others."),
  ]

  private static let rule: [PluginOption] = [
    PluginOption(
      "match",
      .object(
        RequestConditions.options + [
          PluginOption(
            "percentage", .percentage, default: .share(1_000_000), "Of the requests that fulfil the rest.")
        ]), "Requests that are meant; where this is left out, all."),
    .required("services", .list(.object(share), maximum: servicesMax), "Which take them, each its share."),
  ]

  public static let options = [
    PluginOption(
      "rules", .list(.object(rule), maximum: rulesMax), "The first whose conditions hold decides."),
    PluginOption(
      "canary", .object(Canary.options), "A service beside the route's own, for requests that no rule is for."
    ),
    PluginOption(
      "by", .list(.text("what users are told apart by"), maximum: 8),
      "What holds a user to one side: \(RequestKey.hint); where this is left out, each request is drawn."),
    PluginOption(
      "salt", .text("a word"),
      "Splits with the same one, or without, have the same users on the same side; with another, others."),
  ]

  struct Rule: Sendable {
    let conditions: RequestConditions
    /// In millionths of the requests that fulfil the conditions.
    let share: Int
    let services: WeightedServices

    /// No request gets past it.
    var isForAll: Bool { conditions.isEmpty && share == 1_000_000 }
  }

  let rules: [Rule]
  let canary: Canary?
  let users: RequestKey?
  let salt: UInt64

  public init(_ values: OptionValues) throws(OptionProblem) {
    var rules: [Rule] = []
    for (index, rule) in values.objects("rules").enumerated() {
      rules.append(try Self.rule(rule, at: "rules[\(index)]"))
    }
    canary = try values.object("canary").map { values throws(OptionProblem) in try Canary(values) }
    if rules.isEmpty, canary == nil {
      throw OptionProblem(
        "", "nothing is split", hint: "such as canary: {service: next, weight: 10}, or rules")
    }
    if let all = rules.firstIndex(where: \.isForAll), all + 1 < rules.count || canary != nil {
      throw OptionProblem(
        all + 1 < rules.count ? "rules[\(all + 1)]" : "canary",
        "no request comes here: rules[\(all)] is for all", hint: "give that one a match, or put it last")
    }
    self.rules = rules
    if values.isGiven("by"), values.texts("by").isEmpty {
      throw OptionProblem("by", "the list is empty", hint: "leave it out to draw each request")
    }
    users = try values.isGiven("by") ? RequestKey(values.texts("by"), at: "by") : nil
    let salt = Array((values.text("salt") ?? "").utf8)
    self.salt = StableHash.of(salt.span)
  }

  private static func rule(_ values: OptionValues, at path: String) throws(OptionProblem) -> Rule {
    let match = values.object("match")
    let conditions = RequestConditions(match ?? OptionValues(RequestConditions.options))
    if let match, conditions.isEmpty, !match.isGiven("percentage") {
      throw OptionProblem("\(path).match", "it says nothing of the request", hint: "leave match out for all")
    }
    return Rule(
      conditions: conditions, share: match?.share("percentage") ?? 1_000_000,
      services: try WeightedServices(values.objects("services"), at: "\(path).services"))
  }
}

/// Services that share requests.
struct WeightedServices: Sendable {
  /// Nil: the route's own.
  let names: [String?]
  let weights: [Int]
  let total: Int

  init(_ values: [OptionValues], at path: String) throws(OptionProblem) {
    names = values.map { $0.text("service") }
    weights = values.map { $0.integer("weight") ?? 1 }
    total = weights.reduce(0, +)
    guard total > 0 else {
      throw OptionProblem(
        path, values.isEmpty ? "the list is empty" : "no service has a weight",
        hint: "such as services: [{service: next, weight: 1}, {weight: 9}]")
    }
  }

  /// Whose turn it is. The first have the lowest draws: where only they get more of the same total, nobody who had
  /// them loses them.
  func index(of draw: UInt64) -> Int {
    var rest = Draw.number(draw, below: total)
    for (index, weight) in weights.enumerated() {
      if rest < weight { return index }
      rest -= weight
    }
    return 0
  }
}

/// Numbers that are the same for a user, or chance.
enum Draw {
  /// From 0 to `limit` - 1, each as often; grows with the draw.
  static func number(_ draw: UInt64, below limit: Int) -> Int {
    Int(draw.multipliedFullWidth(by: UInt64(limit)).high)
  }

  /// - share: In millionths.
  static func isHit(_ draw: UInt64, _ share: Int) -> Bool { number(draw, below: 1_000_000) < share }

  /// The user's number for one of several decisions, which have nothing to do with each other.
  static func of(_ user: UInt64, decision: Int) -> UInt64 {
    var random = SplitMix64(seed: user ^ UInt64(decision) &* 0xA24B_AED4_963E_E407)
    return random.next()
  }
}
