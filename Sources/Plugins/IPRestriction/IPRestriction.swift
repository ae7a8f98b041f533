import DataPlane
import Resources

/// Lets clients pass, or keeps them out, by their addresses. As Kong's and APISIX's plugin of this name, and as
/// ingress-nginx' allowlist and denylist of source ranges.
public struct IPRestriction: PluginSettings {
  public static let name = "ip-restriction"
  public static let summary = "Lets clients pass, or keeps them out, by their addresses."
  public static let priority = 990

  public static let options = [
    PluginOption(
      "allow", .list(.network, maximum: NetworkTable.networksMax),
      "Networks and addresses that pass; no others do."),
    PluginOption("allowFile", .file("a file of networks"), "The same from a file, one a line."),
    PluginOption(
      "deny", .list(.network, maximum: NetworkTable.networksMax),
      "Networks and addresses that do not pass, also where they are allowed."),
    PluginOption("denyFile", .file("a file of networks"), "The same from a file, one a line."),
    PluginOption(
      "at", .choice(["request", "connection"]), default: .text("request"),
      "Whether requests are answered or connections are closed; connections only where it is set for everything."
    ),
    RefusalOptions.status,
    RefusalOptions.message("Your IP address is not allowed."),
  ]

  let allowed: NetworkTable?
  let allowedFile: FollowedFile<NetworkTable>?
  let denied: NetworkTable?
  let deniedFile: FollowedFile<NetworkTable>?
  public let seesConnections: Bool
  let status: UInt16
  let message: String

  public init(_ values: OptionValues) throws(OptionProblem) {
    guard ["allow", "allowFile", "deny", "denyFile"].contains(where: values.isGiven) else {
      throw OptionProblem("", "nobody is allowed or denied", hint: "such as allow: [10.0.0.0/8]")
    }
    allowed = try Self.table(values, "allow")
    allowedFile = try Self.file(values, "allowFile")
    denied = try Self.table(values, "deny")
    deniedFile = try Self.file(values, "denyFile")
    seesConnections = values.text("at") == "connection"
    for option in ["status", "message"] where seesConnections && values.isGiven(option) {
      throw OptionProblem(
        option, "a connection that is closed gets no answer", hint: "leave it out, or at: request")
    }
    status = RefusalOptions.status(values)
    message = values.text("message") ?? ""
  }

  private static func table(_ values: OptionValues, _ name: String) throws(OptionProblem) -> NetworkTable? {
    guard values.isGiven(name) else { return nil }
    let networks = values.networks(name)
    if networks.isEmpty {
      throw OptionProblem(name, "the list is empty", hint: "name at least one, or leave it out")
    }
    return NetworkTable(networks)
  }

  private static func file(
    _ values: OptionValues, _ name: String
  ) throws(OptionProblem) -> FollowedFile<NetworkTable>? {
    guard let path = values.text(name) else { return nil }
    return try FollowedFile(path, option: name, bytesMax: NetworkTable.fileBytesMax) {
      bytes throws(FileProblem) in
      try NetworkTable.read(bytes)
    }
  }
}
