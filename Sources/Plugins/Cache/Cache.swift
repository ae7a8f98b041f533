import DataPlane
import HTTPCodec
import Resources

/// Stores responses and answers with them, as RFC 9111 has it for a shared cache. Kong's and APISIX's proxy-cache.
public struct Cache: PluginSettings {
  public static let name = "cache"
  public static let summary = "Stores responses, and answers requests with them."
  public static let priority = 100

  private static let day = Duration.seconds(86_400)

  private static let storing: [PluginOption] = [
    PluginOption(
      "zone", .text("a name"), default: .text("default"),
      "Where responses are stored; all uses with the same zone share it."),
    PluginOption(
      "memory", .size(1_048_576...1_099_511_627_776), default: .size(67_108_864),
      "What the zone's responses may take of memory."),
    PluginOption(
      "maxSize", .size(1_024...1_073_741_824), default: .size(8_388_608),
      "The content of one response; what is larger is not stored."),
    PluginOption(
      "diskPath", .file("a folder"),
      "Where responses are stored on a disk as well, in a folder for each zone; where this is left out, they are not."
    ),
    PluginOption(
      "diskSize", .size(1_048_576...(1 << 50)), default: .size(1 << 30),
      "What the zone's responses may take of the disk."),
    PluginOption(
      "diskInactive", .duration(.seconds(1)...(day * 366)), default: .duration(day),
      "How long what nobody asks for stays on the disk."),
    PluginOption(
      "ttl", .duration(.seconds(1)...(day * 366)),
      "How long responses are fresh that do not say so; where this is left out, they are not stored."),
    PluginOption(
      "statuses", .list(.integer(200...599), maximum: 32),
      default: .list([.integer(200), .integer(301), .integer(404)]), "The statuses that ttl is for."),
    PluginOption(
      "contentTypes", .list(.text("a media type"), maximum: 64),
      "Only responses of these types are stored; where this is left out, all are."),
    PluginOption(
      "cacheControl", .flag, default: .flag(true),
      "Whether what responses say of their freshness counts; otherwise ttl does. no-store and private always do."
    ),
    PluginOption(
      "requestCacheControl", .flag, default: .flag(true),
      "Whether what requests say in Cache-Control and Pragma counts."),
    PluginOption(
      "setCookie", .flag, default: .flag(false),
      "Whether responses that set cookies are stored, with the cookies."),
  ]

  private static let telling: [PluginOption] = [
    PluginOption(
      "varyHeaders", .list(.token("a name of a field"), maximum: 16),
      "Fields of requests with whose values responses differ, beside those that Vary names."),
    PluginOption(
      "varyCookies", .list(.token("a name of a cookie"), maximum: 16),
      "Cookies with whose values they differ."),
    PluginOption(
      "varyQueryParams", .list(.text("a name of a parameter"), maximum: 64),
      "Parameters of the query that count; where this is left out, all do."),
    PluginOption(
      "ignoreQueryParams", .list(.text("a name of a parameter"), maximum: 64),
      "Parameters that do not count; with * at the end, all that begin so."),
    PluginOption(
      "sortQuery", .flag, default: .flag(false), "Whether the order of the query's parameters does not count."
    ),
    PluginOption(
      "ignoreCase", .flag, default: .flag(false), "Whether upper and lower case of paths are the same."),
    PluginOption(
      "consumerIsolation", .flag, default: .flag(true), "Whether each consumer has responses of its own."),
    PluginOption(
      "bypass", .object(RequestTrigger.options), "Requests that the cache has nothing to do with."),
  ]

  private static let behaving: [PluginOption] = [
    PluginOption(
      "staleWhileRevalidate", .duration(.zero...(day * 366)), default: .duration(.zero),
      "How long stale responses are sent while one request fetches them anew, where they do not say so themselves."
    ),
    PluginOption(
      "staleIfError", .duration(.zero...(day * 366)), default: .duration(.zero),
      "How long stale responses are sent when the service fails, where they do not say so themselves."),
    PluginOption(
      "lock", .flag, default: .flag(true), "Whether only one request at a time fetches what is not stored."),
    PluginOption(
      "lockTimeout", .duration(.milliseconds(10)...(.seconds(60))), default: .duration(.seconds(5)),
      "How long others wait for it; then they go on by themselves."),
    PluginOption(
      "tagFields", .list(.token("a name of a field"), maximum: 4),
      default: .list([.text("Surrogate-Key"), .text("Cache-Tag")]),
      "Fields of responses with tags, by which they are purged."),
    PluginOption(
      "fields", .list(.choice(["cache-status", "x-cache-status"]), maximum: 2),
      default: .list([.text("cache-status")]), "Fields that tell clients what the cache had."),
    PluginOption(
      "purgeMethod", .flag, default: .flag(false),
      "Whether requests with the method PURGE take a URL out. Who may send them is for other plugins to say."),
  ]

  public static let options = storing + telling + behaving

  let zone: String
  let memoryBytes: Int
  let contentBytesMax: Int
  /// Nil: only in memory.
  let disk: CacheDiskUse?
  let rules: StorageRules
  let key: CacheKeySettings
  let obeysRequests: Bool
  let bypass: RequestTrigger?
  let hasLock: Bool
  let lockNanoseconds: Int64
  /// In lower case.
  let tagFields: [[UInt8]]
  let tellsStandard: Bool
  let tellsX: Bool
  let purgesByMethod: Bool

  public init(_ values: OptionValues) throws(OptionProblem) {
    zone = values.text("zone") ?? "default"
    guard zone.utf8.count <= 64 else { throw OptionProblem("zone", "the name is longer than 64 bytes") }
    memoryBytes = Int(values.size("memory") ?? 67_108_864)
    contentBytesMax = Int(values.size("maxSize") ?? 8_388_608)
    guard contentBytesMax <= memoryBytes / 4 else {
      throw OptionProblem(
        values.isGiven("maxSize") ? "maxSize" : "memory",
        "one response could take more than a quarter of the memory",
        hint: "maxSize is at most a quarter of memory")
    }
    disk = try Self.disk(values, zone, memoryBytes, contentBytesMax)
    rules = try Self.rules(values)
    key = Self.key(values)
    obeysRequests = values.flag("requestCacheControl")
    bypass = try values.object("bypass").map { values throws(OptionProblem) in
      try RequestTrigger(values, option: "bypass")
    }
    hasLock = values.flag("lock")
    lockNanoseconds = (values.duration("lockTimeout") ?? .seconds(5)).wholeNanoseconds
    tagFields = values.texts("tagFields").map { Array($0.lowercased().utf8) }
    tellsStandard = values.texts("fields").contains("cache-status")
    tellsX = values.texts("fields").contains("x-cache-status")
    purgesByMethod = values.flag("purgeMethod")
  }

  private static func disk(
    _ values: OptionValues, _ zone: String, _ memoryBytes: Int, _ contentBytesMax: Int
  ) throws(OptionProblem) -> CacheDiskUse? {
    guard let path = values.text("diskPath") else {
      guard let option = ["diskSize", "diskInactive"].first(where: values.isGiven) else { return nil }
      throw OptionProblem(option, "there is no disk", hint: "set diskPath, such as /var/cache/penstock")
    }
    guard path.hasPrefix("/") else {
      throw OptionProblem("diskPath", "the path is not absolute", hint: "such as /var/cache/penstock")
    }
    let bytesMax = Int(values.size("diskSize") ?? 1 << 30)
    guard contentBytesMax <= bytesMax / 4 else {
      throw OptionProblem(
        "diskSize", "one response could take more than a quarter of the disk",
        hint: "maxSize is at most a quarter of diskSize")
    }
    return CacheDiskUse(
      path, bytesMax: bytesMax,
      inactiveNanoseconds: (values.duration("diskInactive") ?? day).wholeNanoseconds,
      zone: zone, memoryBytes: memoryBytes)
  }

  private static func rules(_ values: OptionValues) throws(OptionProblem) -> StorageRules {
    var rules = StorageRules()
    rules.lifetime = values.duration("ttl")?.components.seconds
    rules.statuses = values.integers("statuses").map { UInt16($0) }
    rules.obeysFreshness = values.flag("cacheControl")
    if !rules.obeysFreshness, rules.lifetime == nil {
      throw OptionProblem(
        "cacheControl", "nothing would be stored without a lifetime", hint: "set ttl, such as 5m")
    }
    rules.storesCookies = values.flag("setCookie")
    rules.contentTypes = values.texts("contentTypes").map { Array($0.lowercased().utf8) }
    for (index, type) in rules.contentTypes.enumerated() where type.contains(UInt8(ascii: ";")) {
      throw OptionProblem(
        "contentTypes[\(index)]", "parameters of types are not looked at", hint: "such as text/html")
    }
    rules.staleWhileRevalidate = values.duration("staleWhileRevalidate")?.components.seconds ?? 0
    rules.staleIfError = values.duration("staleIfError")?.components.seconds ?? 0
    return rules
  }

  private static func key(_ values: OptionValues) -> CacheKeySettings {
    var key = CacheKeySettings()
    key.headers = values.texts("varyHeaders").map { Array($0.lowercased().utf8) }
    key.cookies = values.texts("varyCookies").map { Array($0.utf8) }
    if values.isGiven("varyQueryParams") {
      key.parameters = values.texts("varyQueryParams").map { Array($0.utf8) }
    }
    key.ignoredParameters = values.texts("ignoreQueryParams").map { Array($0.utf8) }
    key.sortsQuery = values.flag("sortQuery")
    key.ignoresCase = values.flag("ignoreCase")
    key.tellsConsumers = values.flag("consumerIsolation")
    return key
  }
}
