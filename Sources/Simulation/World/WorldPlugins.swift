import DataPlane
import Plugins
import Resources
import Runtime
import Synchronization

/// Plugins that a route of a ``World`` has, and what each of them does there.
struct WorldPluginSet {
  /// Tells sets apart; endpoints are told it where ``marks`` is set.
  var number = 0
  var attachments: [PluginAttachment] = []
  /// `headers`
  var marks = false
  /// `rate-limit`
  var limits = false
  /// `key-auth`, and whether the key goes no further.
  var asksForKey = false
  var hidesKey = false
  /// `fault`
  var delays = false
  var aborts = false
  /// `mirror`
  var copies = false
  /// `forward-auth`
  var asksService = false
  /// `cache`, and whether it sends what is stale while it fetches that anew.
  var caches = false
  var refreshes = false

  /// Statuses that nobody but a plugin answers with, or the service that it asks.
  static let refusals = [401, 403, 418, 429, 500]

  func mayRefuse(with status: Int, _ request: WorldRequest) -> Bool {
    switch status {
    case 401: asksForKey && !request.hasKey
    case 403, 500: asksService
    case 418: aborts
    case 429: limits
    default: false
    }
  }
}

/// The plugins of a ``World``, with the services that some of them ask: settled before its time begins.
struct WorldPlugins {
  static let copies = "copies"
  static let authority = "authority"
  /// Of ``copies`` and ``authority``, behind all that routes lead to.
  static let copiesOrigin = 20
  static let authorityOrigin = 21
  static let key = "a key of this world"
  /// What copies say that have no content.
  static let bareCopy = "bare"
  /// What `authority` is asked with.
  static let question = "/ask"

  private(set) var sets: [WorldPluginSet] = []
  private(set) var consumers: [Consumer] = []
  /// Nil where no set caches.
  private(set) var zone: String?

  /// Zones outlive what uses them: each world has its own, or it would know what another has stored.
  private static let zoneCount = Atomic<Int>(0)

  init(_ plan: WorldPlan, random: inout SplitMix64) {
    guard plan.hasPlugins else { return }
    let name = "world \(Self.zoneCount.wrappingAdd(1, ordering: .relaxed).newValue)"
    var routes: [String] = []
    for number in 0..<(2 + random.next(below: 4)) {
      var set = WorldPluginSet(number: number)
      let texts = Self.choose(&set, zone: name, isCalm: plan.isCalm, &random)
      if set.caches { zone = name }
      sets.append(set)
      routes.append(
        "{name: r\(number), service: x, hosts: [h\(number).test], plugins: {\(texts.joined(separator: ", "))}}"
      )
    }
    let consumer = "{name: someone, credentials: {key-auth: [{key: \"\(Self.key)\"}]}}"
    let text = """
      listeners: [{name: l, address: "10.0.0.1:1"}]
      services: [{name: x, endpoints: ["10.0.0.2:1"]}, {name: \(Self.copies), endpoints: ["10.0.0.2:1"]}, \
      {name: \(Self.authority), endpoints: ["10.0.0.2:1"]}]
      consumers: [\(consumer)]
      routes: [\(routes.joined(separator: ", "))]
      """
    do throws(ConfigurationErrors) {
      let configuration = try ConfigurationFile.load(text: text, path: "world.yaml", plugins: .standard)
      consumers = configuration.consumers
      for number in sets.indices {
        let route = configuration.routes.first { $0.name == "r\(number)" }
        sets[number].attachments = route?.plugins ?? []
      }
    } catch {
      preconditionFailure("plugins of a world: \(error)\n\(text)")
    }
  }

  /// Lets go of what they have stored; nobody uses it any more.
  func end() { if let zone { CacheZones.forget(zone) } }

  private static func choose(
    _ set: inout WorldPluginSet, zone: String, isCalm: Bool, _ random: inout SplitMix64
  ) -> [String] {
    var texts: [String] = []
    if random.chance(2) {
      set.marks = true
      texts.append(
        "headers: {request: {set: {X-Plugins: \"\(set.number)\"}}, response: {set: {X-Answer: \"\(set.number)\"}}}"
      )
    }
    if random.chance(4) {
      set.limits = true
      texts.append("rate-limit: {limits: [{requests: \(1 + random.next(below: 8)), per: 1s}]}")
    }
    if random.chance(3) {
      (set.asksForKey, set.hidesKey) = (true, random.chance(2))
      texts.append("key-auth: {hideCredentials: \(set.hidesKey)}")
    }
    if random.chance(3) {
      (set.delays, set.aborts) = (true, random.chance(2))
      let abort = set.aborts ? ", abort: {status: 418, percentage: 40%}" : ""
      texts.append("fault: {delay: {duration: \(1 + random.next(below: 900))ms, percentage: 50%}\(abort)}")
    }
    if random.chance(3) {
      set.copies = true
      let body =
        random.chance(4)
        ? ", mirrorBody: false, extraHeaders: {X-Copy: \(bareCopy)}"
        : ", maxBodySize: \(10 + random.next(below: 60))KiB"
      texts.append("mirror: {service: \(copies), timeout: \(1 + random.next(below: 20))s\(body)}")
    }
    if random.chance(3) {
      set.asksService = true
      // In a calm world it answers, but it may have to be waited for.
      let remembers = random.chance(3) ? ", cache: {by: [path], ttl: 1s}" : ""
      texts.append(
        "forward-auth: {service: \(authority), path: \(question), timeout: \(isCalm ? 60 : 2)s\(remembers)}")
    }
    if random.chance(2) {
      (set.caches, set.refreshes) = (true, random.chance(3))
      let stale = set.refreshes ? ", staleIfError: 10s, staleWhileRevalidate: 2s" : ""
      texts.append("cache: {zone: \(zone), ignoreQueryParams: [\"n\"], lock: \(!random.chance(4))\(stale)}")
    }
    return texts
  }

  /// The services that plugins ask, with limits within reach: whoever asks has to wait, or copies are dropped.
  static func services(_ plan: WorldPlan, _ random: inout SplitMix64) -> [Service] {
    guard plan.hasPlugins else { return [] }
    return [copies, authority].map { name in
      var service = Service(name: name, endpoints: [])
      if plan.sideOriginsSpeakHTTP2 { service.protocol = .http2 }
      if random.chance(2) { service.limits.inFlight = 1 + random.next(below: 3) }
      if random.chance(2) { service.limits.connections = 1 + random.next(below: 2) }
      service.limits.pendingTimeout = .seconds(plan.isCalm ? 1_000 : 5)
      service.timeouts.connect = .seconds(plan.isCalm ? 300 : 1)
      service.timeouts.response = .seconds(plan.isCalm ? 300 : 5)
      // Each copy, and each question, is sent once.
      service.retries = nil
      service.ejection = nil
      return service
    }
  }
}
