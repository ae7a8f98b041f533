import DataPlane
import Resources

/// Names requests. As Kong's correlation-id and APISIX's request-id.
public struct RequestID: PluginSettings {
  public static let name = "request-id"
  public static let summary = "Gives each request a name, for its service, its client and the log."
  public static let priority = 100_001

  public static let options = [
    PluginOption(
      "headerName", .token("a name of a field"), default: .text("X-Request-ID"),
      "The field that holds the name."),
    PluginOption(
      "generator", .choice(Generator.allCases.map(\.rawValue)), default: .text("uuid"),
      "How names are made."),
    PluginOption(
      "keep", .choice(Keep.allCases.map(\.rawValue)), default: .text("trusted"),
      "Whose names are kept, where a request comes with one: those of trusted peers, of all, or of none."),
    PluginOption(
      "includeInResponse", .flag, default: .flag(true), "Whether clients are told the name."),
  ]

  enum Generator: String, CaseIterable {
    case uuid
    case uuidWithCounter = "uuid#counter"
    case timedUUID = "uuid-v7"
    case nanoid, ksuid, hexadecimal
  }

  enum Keep: String, CaseIterable {
    case trusted, all, none
  }

  let headerName: String
  let generator: Generator
  let keep: Keep
  let isInResponse: Bool

  public init(_ values: OptionValues) throws(OptionProblem) {
    headerName = values.text("headerName") ?? "X-Request-ID"
    if headerName.lowercased() != "x-request-id" {
      try OwnedFields.checkRequest(headerName, option: "headerName")
      try OwnedFields.checkResponse(headerName, option: "headerName", adds: true)
    }
    generator = Generator(rawValue: values.text("generator") ?? "") ?? .uuid
    keep = Keep(rawValue: values.text("keep") ?? "") ?? .trusted
    isInResponse = values.flag("includeInResponse")
  }
}
