import DataPlane
import Resources

/// Lets programs pass, or keeps them out, by what they call themselves. As APISIX's plugin of this name, and as
/// Kong's bot-detection without its list of bots.
public struct UARestriction: PluginSettings {
  public static let name = "ua-restriction"
  public static let summary = "Lets programs pass, or keeps them out, by their User-Agent."
  /// That of Kong's bot-detection.
  public static let priority = 2_500

  private static let expressionsMax = 256

  public static let options = [
    PluginOption(
      "allow", .list(.regex, maximum: expressionsMax),
      "Expressions (RE2) of which one has to be found in User-Agent; with deny, exceptions from it."),
    PluginOption(
      "deny", .list(.regex, maximum: expressionsMax), "Expressions of which none may be found in User-Agent."),
    PluginOption(
      "bypassMissing", .flag, default: .flag(false), "Whether requests without User-Agent pass."),
    RefusalOptions.status,
    RefusalOptions.message("Your program is not allowed."),
  ]

  /// Expressions, several of the options' in one.
  let allowed: [String]
  let denied: [String]
  let passesMissing: Bool
  let status: UInt16
  let message: String

  public init(_ values: OptionValues) throws(OptionProblem) {
    guard values.isGiven("allow") || values.isGiven("deny") else {
      throw OptionProblem("", "nothing is allowed or denied", hint: "such as deny: [\"(?i)bot\"]")
    }
    for name in ["allow", "deny"] where values.isGiven(name) && values.texts(name).isEmpty {
      throw OptionProblem(name, "the list is empty", hint: "name at least one, or leave it out")
    }
    allowed = Alternatives.joined(values.texts("allow"))
    denied = Alternatives.joined(values.texts("deny"))
    passesMissing = values.flag("bypassMissing")
    status = RefusalOptions.status(values)
    message = values.text("message") ?? ""
  }
}

/// Makes few expressions of many: each costs a way through the text.
enum Alternatives {
  /// What stays well below the memory that an expression may have.
  private static let bytesMax = 2_048

  /// - expressions: each of them valid.
  static func joined(_ expressions: [String]) -> [String] {
    var joined: [String] = []
    var open = ""
    for expression in expressions {
      // A quotation that is not closed would go on into the next.
      guard !expression.contains("\\Q") else {
        joined.append(expression)
        continue
      }
      let group = "(?:\(expression))"
      let longer = open.isEmpty ? group : open + "|" + group
      if longer.utf8.count <= bytesMax, (try? RegularExpression(longer)) != nil {
        open = longer
      } else {
        if !open.isEmpty { joined.append(open) }
        open = (try? RegularExpression(group)) != nil ? group : ""
        if open.isEmpty { joined.append(expression) }
      }
    }
    return open.isEmpty ? joined : joined + [open]
  }
}
