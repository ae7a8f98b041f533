import DataPlane
import Resources

/// Lets consumers pass by the groups that they are in. As Kong's plugin of this name.
public struct ACL: PluginSettings {
  public static let name = "acl"
  public static let summary = "Lets consumers pass, or keeps them out, by their groups and names."
  public static let priority = 950

  private static let listMax = 1_000

  public static let options = [
    PluginOption(
      "allow", .list(.text("a group's name"), maximum: listMax), "Groups of which one is enough to pass."),
    PluginOption(
      "allowConsumers", .list(.text("a consumer's name"), maximum: listMax), "Consumers that pass as well."),
    PluginOption(
      "deny", .list(.text("a group's name"), maximum: listMax),
      "Groups whose members do not pass, whatever else holds."),
    PluginOption(
      "denyConsumers", .list(.text("a consumer's name"), maximum: listMax),
      "Consumers that do not pass, whatever else holds."),
    PluginOption(
      "hideGroups", .flag, default: .flag(false),
      "Whether the endpoint is not told the groups in X-Consumer-Groups."),
    RefusalOptions.status,
    RefusalOptions.message("You cannot consume this service."),
  ]

  let allowedGroups: Set<String>
  let allowedConsumers: Set<String>
  let deniedGroups: Set<String>
  let deniedConsumers: Set<String>
  /// Only who is allowed passes.
  let needsAllowance: Bool
  let hidesGroups: Bool
  let status: UInt16
  let message: String

  public init(_ values: OptionValues) throws(OptionProblem) {
    let names = ["allow", "allowConsumers", "deny", "denyConsumers"]
    guard names.contains(where: values.isGiven) else {
      throw OptionProblem("", "nobody is allowed or denied", hint: "such as allow: [gold]")
    }
    for name in names where values.isGiven(name) && values.texts(name).isEmpty {
      throw OptionProblem(name, "the list is empty", hint: "name at least one, or leave it out")
    }
    allowedGroups = Set(values.texts("allow"))
    allowedConsumers = Set(values.texts("allowConsumers"))
    deniedGroups = Set(values.texts("deny"))
    deniedConsumers = Set(values.texts("denyConsumers"))
    for (both, allow, deny) in [
      (allowedGroups.intersection(deniedGroups), "allow", "deny"),
      (allowedConsumers.intersection(deniedConsumers), "allowConsumers", "denyConsumers"),
    ] {
      guard let one = both.min() else { continue }
      throw OptionProblem(deny, "\"\(one)\" is in \(allow) as well", hint: "keep it in one of them")
    }
    needsAllowance = !allowedGroups.isEmpty || !allowedConsumers.isEmpty
    hidesGroups = values.flag("hideGroups")
    status = RefusalOptions.status(values)
    message = values.text("message") ?? ""
  }

  /// Whether a consumer passes.
  func passes(_ name: String, _ groups: [String]) -> Bool {
    if deniedConsumers.contains(name) { return false }
    if !deniedGroups.isEmpty { for group in groups where deniedGroups.contains(group) { return false } }
    if !needsAllowance || allowedConsumers.contains(name) { return true }
    for group in groups where allowedGroups.contains(group) { return true }
    return false
  }
}
