import DataPlane
import Resources
import Runtime

/// Lets so many requests pass in a time. Exact over all workers of a gateway, and with Redis over several gateways.
public struct RateLimit: PluginSettings {
  public static let name = "rate-limit"
  public static let summary = "Lets so many requests pass in a time, for each address, consumer or other key."
  public static let priority = 910

  static let limit: [PluginOption] = [
    .required("requests", .integer(1...1_000_000_000), "How many requests pass in the time of \"per\"."),
    PluginOption(
      "per", .duration(.milliseconds(100)...(.seconds(31 * 86_400))), default: .duration(.seconds(1)),
      "The time."),
    PluginOption(
      "burst", .integer(1...1_000_000_000),
      "How many may come at once, when none came before; where this is left out, as many as \"requests\"."),
    PluginOption(
      "by", .list(.text("what requests are told apart by"), maximum: 8), default: .list([.text("address")]),
      "What has a limit of its own: \(RequestKey.hint); several together are one key."),
  ]

  public static let options = [
    PluginOption("limits", .list(.object(limit), maximum: 16), "Limits that all hold for each request."),
    PluginOption(
      "paths",
      .list(
        .object([
          .required("prefix", .text("a path"), "A path of whole segments."),
          .required("limits", .list(.object(limit), maximum: 16), "Limits in place of the others."),
        ]), maximum: 100),
      "Paths with limits of their own; the longest prefix counts."),
    PluginOption("status", .integer(400...599), default: .integer(429), "The status of what does not pass."),
    PluginOption(
      "message", .text("a sentence"), default: .text("Too many requests."),
      "The content of what does not pass."),
    PluginOption(
      "fields", .list(.choice(["standard", "x-ratelimit"]), maximum: 2),
      default: .list([.text("standard"), .text("x-ratelimit")]),
      "Fields that tell clients of the limit: RateLimit and RateLimit-Policy, X-RateLimit-Limit, -Remaining and "
        + "-Reset."),
    PluginOption(
      "policy", .choice(["local", "redis"]), default: .text("local"),
      "Where requests are counted: in each gateway for itself, or in Redis for all of them."),
    PluginOption("redis", .object(RedisSettings.options), "The server, with the policy redis."),
    PluginOption(
      "whenRedisIsGone", .choice(WhenRedisIsGone.allCases.map(\.rawValue)), default: .text("local"),
      "What becomes of requests while Redis cannot be asked: each gateway counts for itself, all pass, or all are "
        + "refused with 503."),
  ]

  /// While nobody knows what the other gateways let pass.
  enum WhenRedisIsGone: String, CaseIterable {
    case local, allow, refuse
  }

  struct Limit: Sendable {
    let bucket: BucketShape
    let key: RequestKey
    let requests: Int
    let seconds: Int
    /// What the bucket is, as far as settings say: the same text in all gateways that have the same.
    let identity: String
  }

  struct PathLimits: Sendable {
    let prefix: [UInt8]
    let limits: [Limit]
  }

  let limits: [Limit]
  /// The longest first.
  let paths: [PathLimits]
  let status: UInt16
  let message: String
  let usesStandardFields: Bool
  let usesXFields: Bool
  /// Nil: each gateway counts for itself.
  let redis: RedisSettings?
  let whenRedisIsGone: WhenRedisIsGone

  public init(_ values: OptionValues) throws(OptionProblem) {
    limits = try Self.limits(values.objects("limits"), at: "limits")
    var paths: [PathLimits] = []
    for (index, path) in values.objects("paths").enumerated() {
      let prefix = path.text("prefix") ?? ""
      guard prefix.hasPrefix("/") else {
        throw OptionProblem("paths[\(index)].prefix", "a path begins with /", hint: "such as /login")
      }
      paths.append(
        PathLimits(
          prefix: Array(prefix.utf8),
          limits: try Self.limits(path.objects("limits"), at: "paths[\(index)].limits")))
    }
    self.paths = paths.sorted { $0.prefix.count > $1.prefix.count }
    if limits.isEmpty, paths.isEmpty {
      throw OptionProblem(
        "limits", "at least one limit is needed", hint: "such as limits: [{requests: 100, per: 1s}]")
    }
    status = UInt16(values.integer("status") ?? 429)
    message = values.text("message") ?? ""
    let fields = values.texts("fields")
    usesStandardFields = fields.contains("standard")
    usesXFields = fields.contains("x-ratelimit")
    whenRedisIsGone = WhenRedisIsGone(rawValue: values.text("whenRedisIsGone") ?? "") ?? .local
    redis = try Self.redis(values)
  }

  private static func redis(_ values: OptionValues) throws(OptionProblem) -> RedisSettings? {
    let usesRedis = values.text("policy") == "redis"
    guard let server = values.object("redis") else {
      guard usesRedis else { return nil }
      throw OptionProblem(
        "policy", "there is no server to count with", hint: "such as redis: {host: 10.0.0.5}")
    }
    guard usesRedis else {
      throw OptionProblem("redis", "the policy is local", hint: "policy: redis uses the server")
    }
    return try RedisSettings(server, option: "redis")
  }

  private static func limits(_ values: [OptionValues], at path: String) throws(OptionProblem) -> [Limit] {
    var limits: [Limit] = []
    for (index, one) in values.enumerated() {
      let requests = one.integer("requests") ?? 1
      let period = one.duration("per") ?? .seconds(1)
      let words = one.texts("by")
      let key = try RequestKey(words, at: "\(path)[\(index)].by")
      let burst = one.integer("burst") ?? requests
      limits.append(
        Limit(
          bucket: BucketShape(requests: requests, period: period, burst: burst), key: key,
          requests: requests, seconds: max(1, Int(period.components.seconds)),
          identity: "\(requests)/\(period.inNanoseconds)/\(burst)/\(words)"))
    }
    return limits
  }
}
