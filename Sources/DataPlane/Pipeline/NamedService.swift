/// A service that a plugin's option names, on one worker: what a plugin keeps, and asks with each request.
///
/// It is the service that requests see at that moment: all of a change or nothing of it. Services that plugins
/// name cannot be removed; a request that has met a plugin before a change took both away finds the service as it
/// was.
public final class NamedService {
  public let name: String
  private unowned let data: DataPlaneWorker
  private var number = -1
  /// Of the worker, as of which ``number`` is right.
  private var revision: UInt32
  private var last: UpstreamService?

  init(_ name: String, of data: DataPlaneWorker) {
    self.name = name
    self.data = data
    revision = data.pluginRevision
    number = data.serviceTable.number(named: name) ?? -1
    last = current
  }

  /// The service as requests see it now.
  public var current: UpstreamService? {
    if revision != data.pluginRevision {
      revision = data.pluginRevision
      number = data.serviceTable.number(named: name) ?? -1
    }
    guard number >= 0, let service = data.serviceTable.service(number) else { return last }
    if service !== last { last = service }
    return service
  }
}

extension Exchange {
  /// Plugins may have another service take the request than ``serviceName`` says, until ``Plugin/serviceChosen(_:)``.
  public var mayGoToAnother: Bool { chain?.phases.contains(.upstreamChoice) ?? false }

  /// Has another service than the route's take the request. In ``Plugin/upstreamChoice(_:)``.
  ///
  /// Its endpoints, limits, timeouts and retries hold, and it is counted and logged; plugins are those that the
  /// request has met.
  public func send(to service: NamedService) throws(PluginFailure) {
    guard let current = service.current else { throw PluginFailure("there is no service \(service.name)") }
    self.service = current
  }
}
