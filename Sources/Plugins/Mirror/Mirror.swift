import DataPlane
import Resources

/// Sends copies of requests to another service, whose answers nobody waits for. As APISIX's proxy-mirror, and the
/// mirroring of nginx, ingress-nginx, Traefik and Envoy.
public struct Mirror: PluginSettings {
  public static let name = "mirror"
  public static let summary = "Sends copies of requests to another service, and drops what it answers."
  /// As APISIX's proxy-mirror, which Kong has no counterpart of.
  public static let priority = 1_010

  static let contentBytesMax: UInt64 = 16 << 20

  public static let options: [PluginOption] = [
    .required("service", .service, "The service that gets the copies."),
    PluginOption(
      "percentage", .percentage, default: .share(1_000_000), "Of requests, each on its own, that are copied."),
    PluginOption(
      "path", .text("a path such as /copies"),
      "The path of copies; where this is left out, the one that the request goes on with."),
    PluginOption(
      "pathConcatMode", .choice(["replace", "prefix"]), default: .text("replace"),
      "Whether path stands in place of the request's path, or before it."),
    SideRequestOptions.host,
    SideRequestOptions.extraHeaders("copies"),
    PluginOption(
      "mirrorBody", .flag, default: .flag(true),
      "Whether copies have the request's content; otherwise they have none."),
    PluginOption(
      "maxBodySize", .size(0...contentBytesMax), default: .size(1 << 20),
      "Of the content; requests with more are not copied."),
    PluginOption(
      "timeout", .duration(.milliseconds(1)...(.seconds(60))), default: .duration(.seconds(10)),
      "How long the service may take for a copy, connecting included."),
  ]

  let service: String
  /// In millionths of all requests.
  let share: Int
  let path: [UInt8]?
  let isPrefix: Bool
  let host: [UInt8]?
  let extraFields: WrittenFields
  let copiesContent: Bool
  let contentMax: Int
  let timeoutNanoseconds: Int64

  public init(_ values: OptionValues) throws(OptionProblem) {
    service = values.text("service") ?? ""
    share = values.share("percentage") ?? 0
    isPrefix = values.text("pathConcatMode") == "prefix"
    let path = try values.text("path").map { text throws(OptionProblem) in
      try NormalPath.read(text, option: "path")
    }
    if isPrefix, path == nil {
      throw OptionProblem(
        "pathConcatMode", "there is no path to stand before the request's", hint: "such as path: /copies")
    }
    self.path = isPrefix && path?.last == UInt8(ascii: "/") ? path?.dropLast() : path
    host = try SideRequestOptions.host(values)
    extraFields = try WrittenFields(values, "extraHeaders")
    copiesContent = values.flag("mirrorBody")
    contentMax = Int(values.size("maxBodySize") ?? 0)
    timeoutNanoseconds = (values.duration("timeout") ?? .seconds(10)).wholeNanoseconds
  }
}
