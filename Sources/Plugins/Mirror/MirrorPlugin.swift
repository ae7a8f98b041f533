import DataPlane
import HTTPCodec
import Resources
import Runtime

extension Mirror: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { MirrorPlugin(self, site) }
}

final class MirrorPlugin: Plugin {
  private let settings: Mirror
  private let service: NamedService
  private let worker: Worker
  private let counters: PluginCounters

  init(_ settings: Mirror, _ site: PluginSite) {
    self.settings = settings
    service = site.service(named: settings.service)
    worker = site.worker
    counters = site.counters
    super.init(.chosenService)
  }

  /// All plugins have let the request pass, and have changed what they change.
  override func serviceChosen(_ exchange: Exchange) throws(PluginFailure) -> PluginAnswer? {
    if isChosen, !exchange.asksForUpgrade { send(exchange) }
    return nil
  }

  private func send(_ exchange: Exchange) {
    if settings.copiesContent, let length = exchange.requestContentLength,
      length > UInt64(settings.contentMax)
    {
      return counters.countDropped()
    }
    let request = copy(exchange)
    guard settings.copiesContent, exchange.requestContentLength != 0 else {
      exchange.sendAside(service.current, request, countedBy: counters)
      return
    }
    exchange.tapContent(MirroredContent(request, settings.contentMax, service, counters))
  }

  private var isChosen: Bool {
    settings.share >= 1_000_000
      || settings.share > 0 && worker.random.next(below: 1_000_000) < settings.share
  }

  private func copy(_ exchange: Exchange) -> SideRequest {
    var request = SideRequest(
      exchange.method, target(exchange), timeoutNanoseconds: settings.timeoutNanoseconds)
    request.host = settings.host ?? exchange.hostForEndpoint
    request.lines = exchange.linesForEndpoint()
    settings.extraFields.append(of: exchange, to: &request.lines)
    request.keepsResponse = false
    request.responseBytesMax = Self.readBytesMax
    return request
  }

  /// What is read of an answer to keep the connection; one with more is cut off.
  private static let readBytesMax = 1 << 20

  private func target(_ exchange: Exchange) -> [UInt8] {
    let target = exchange.target()
    guard let path = settings.path else { return target }
    if settings.isPrefix { return path + target }
    guard let query = target.firstIndex(of: UInt8(ascii: "?")) else { return path }
    return path + target[query...]
  }
}

/// Collects a request's content while it goes on, and sends the copy when it is whole.
private final class MirroredContent: ContentTap {
  private var request: SideRequest
  private let contentMax: Int
  private let service: NamedService
  private let counters: PluginCounters
  private var isTooLarge = false

  init(_ request: SideRequest, _ contentMax: Int, _ service: NamedService, _ counters: PluginCounters) {
    self.request = request
    self.contentMax = contentMax
    self.service = service
    self.counters = counters
  }

  override func take(_ bytes: Span<UInt8>, of exchange: Exchange) {
    if isTooLarge { return }
    guard bytes.count <= contentMax - request.content.count else {
      isTooLarge = true
      exchange.releaseBytes(request.content.count)
      request.content = []
      return
    }
    exchange.holdBytes(bytes.count)
    for index in bytes.indices { request.content.append(bytes[index]) }
  }

  override func restart(_ exchange: Exchange) {
    exchange.releaseBytes(request.content.count)
    request.content.removeAll(keepingCapacity: true)
    isTooLarge = false
  }

  override func end(_ exchange: Exchange) {
    exchange.releaseBytes(request.content.count)
    if isTooLarge { return counters.countDropped() }
    exchange.sendAside(service.current, request, countedBy: counters)
    request.content = []
  }

  override func abandon(_ exchange: Exchange) {
    exchange.releaseBytes(request.content.count)
    request.content = []
    counters.countDropped()
  }
}
