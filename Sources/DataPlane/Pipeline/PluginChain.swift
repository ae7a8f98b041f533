import Resources
import Runtime

/// A use of a plugin on one worker, made when the first request meets it.
final class AttachedPlugin {
  let attachment: PluginAttachment
  let scope: PluginSite.Scope
  /// Failures before this are not reported: each ten seconds one is.
  var quietUntil = MonotonicTime(nanoseconds: 0)
  private var made: Plugin?

  init(_ attachment: PluginAttachment, _ scope: PluginSite.Scope) {
    self.attachment = attachment
    self.scope = scope
  }

  func plugin(of data: DataPlaneWorker) -> Plugin? {
    if let made { return made }
    guard let runnable = attachment.settings as? any RunnablePlugin else { return nil }
    made = runnable.plugin(at: PluginSite(attachment, scope, of: data))
    return made
  }

  /// Those of a list, with their state where they were in use before.
  static func list(
    _ attachments: [PluginAttachment], _ scope: PluginSite.Scope, before: [AttachedPlugin] = []
  ) -> [AttachedPlugin] {
    attachments.map { attachment in
      before.first { $0.attachment == attachment && $0.scope == scope } ?? AttachedPlugin(attachment, scope)
    }
  }
}

/// The plugins that requests of one route meet, in their order. Belongs to one worker's thread.
///
/// A narrower setting takes the place of a wider one of the same plugin, as a whole: consumer before route before
/// service before everything. One that is not enabled leaves nothing in its place.
final class PluginChain {
  /// A plugin with what is seldom asked for. A class: one reference is counted, and not three.
  final class Link {
    let plugin: Plugin
    let attached: AttachedPlugin
    let counters: PluginCounters
    let priority: Int
    var name: String { attached.attachment.name }

    init(_ plugin: Plugin, _ attached: AttachedPlugin, _ counters: PluginCounters) {
      self.plugin = plugin
      self.attached = attached
      self.counters = counters
      priority = attached.attachment.priority
    }
  }

  /// In their order.
  let links: [Link]
  /// Those of the links, which is all that most requests take hold of.
  let plugins: [Plugin]
  /// All phases that any of them takes part in.
  let phases: Plugin.Phases
  private let attached: [AttachedPlugin]
  /// With the plugins of consumers that have their own, by their numbers.
  private var ofConsumers: [Int: (consumer: WorkerConsumer, chain: PluginChain)] = [:]
  /// Counts this, where it is a consumer's.
  private var count: ConsumerChainCount?

  /// - attached: From the widest to the narrowest.
  private init(_ attached: [[AttachedPlugin]], of data: DataPlaneWorker) {
    var effective: [AttachedPlugin] = []
    for list in attached {
      for one in list {
        effective.removeAll { $0.attachment.name == one.attachment.name }
        effective.append(one)
      }
    }
    effective = effective.filter(\.attachment.isEnabled)
    self.attached = effective
    links = effective.compactMap { one -> Link? in
      // Requests have nothing to do with one that acts on connections only.
      guard let plugin = one.plugin(of: data), plugin.phases != .connection else { return nil }
      return Link(plugin, one, data.counters.plugin(named: one.attachment.name))
    }
    .sorted { ($1.priority, $0.name) < ($0.priority, $1.name) }
    plugins = links.map(\.plugin)
    phases = plugins.reduce(into: []) { $0.formUnion($1.phases) }
  }

  /// Nil where requests have nothing to meet.
  static func make(_ attached: [[AttachedPlugin]], of data: DataPlaneWorker) -> PluginChain? {
    let chain = PluginChain(attached, of: data)
    return chain.links.isEmpty ? nil : chain
  }

  /// This with a consumer's own plugins; they may leave nothing of it.
  func chain(for consumer: WorkerConsumer, of data: DataPlaneWorker) -> PluginChain {
    if let known = ofConsumers[consumer.number], known.consumer === consumer { return known.chain }
    let chain = PluginChain([attached, consumer.plugins], of: data)
    if data.consumerChains.isFull { ofConsumers = [:] }
    // Where other routes have them all, this one is made for each request.
    if data.consumerChains.isFull { return chain }
    data.consumerChains.count += 1
    chain.count = data.consumerChains
    ofConsumers[consumer.number] = (consumer, chain)
    return chain
  }

  deinit { count?.count -= 1 }

  /// The first link behind all of at least a priority.
  func position(behind priority: Int) -> Int {
    links.firstIndex { $0.priority < priority } ?? links.count
  }
}

/// How many chains of consumers all routes of a worker keep.
final class ConsumerChainCount {
  var count = 0
  var isFull: Bool { count >= Self.countMax }
  /// Some 300 bytes each.
  private static let countMax = 100_000
}

/// Chains of routes that have no plugins of their own.
struct SharedChains {
  /// Of the plugins of services, and of those for everything.
  var revision: UInt32 = 0
  /// By the numbers of services that have plugins; -1 for the others.
  var byService: [Int: PluginChain?] = [:]
}

extension DataPlaneWorker {
  /// The plugins that a route's requests to a service meet; nil where there are none.
  @inline(__always)
  func plugins(of route: CompiledRoute, _ service: UpstreamService?) -> PluginChain? {
    if route.chainRevision == pluginRevision, route.hasOneTarget { return route.chain }
    return findPlugins(of: route, service)
  }

  private func findPlugins(of route: CompiledRoute, _ service: UpstreamService?) -> PluginChain? {
    if route.chainRevision != pluginRevision {
      route.chainRevision = pluginRevision
      route.chain = nil
      route.chainsByService = [:]
      if route.hasOneTarget { route.chain = makeChain(route, service) }
      route.mayMeetPlugins = mayMeetPlugins(route)
    }
    if route.hasOneTarget || !route.mayMeetPlugins { return route.chain }
    let number = Int(service?.countersNumber ?? -1)
    if let known = route.chainsByService[number] { return known }
    let chain = makeChain(route, service)
    route.chainsByService[number] = .some(chain)
    return chain
  }

  private func mayMeetPlugins(_ route: CompiledRoute) -> Bool {
    if !globalPlugins.isEmpty || !route.definition.plugins.isEmpty { return true }
    return route.definition.backends.indices.contains { index in
      let service = route.service(ofBackend: index).flatMap { serviceTable.service($0) }
      return service?.settings.service.plugins.isEmpty == false
    }
  }

  private func makeChain(_ route: CompiledRoute, _ service: UpstreamService?) -> PluginChain? {
    let ofService = service?.plugins ?? []
    guard route.plugins.isEmpty else {
      return .make([globalPlugins, ofService, route.plugins], of: self)
    }
    // The same for all routes that have none of their own: of 20,000 chains, no cache would hold the one that a
    // request needs.
    if sharedChains.revision != pluginRevision { sharedChains = SharedChains(revision: pluginRevision) }
    let number = ofService.isEmpty ? -1 : Int(service?.countersNumber ?? -1)
    if let known = sharedChains.byService[number] { return known }
    let chain = PluginChain.make([globalPlugins, ofService], of: self)
    sharedChains.byService[number] = .some(chain)
    return chain
  }
}
