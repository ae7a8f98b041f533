import TLS

/// A listener that could not be opened.
public struct ListenFailure: Error, Sendable, CustomStringConvertible {
  public var listener: String
  public var reason: String
  public var description: String { "listener \(listener): \(reason)" }
}

/// Why an endpoint cannot be used, for the log.
public struct UpstreamNotice: Sendable {
  public var service: String
  public var endpoint: String
  public var text: String
}

/// Why a plugin failed, for the log.
public struct PluginNotice: Sendable {
  public var plugin: String
  /// Where it is in use: `route shop`.
  public var scope: String
  public var text: String
}

extension DataPlaneWorker {
  /// Reports that the handshake with an endpoint failed, every ten seconds at most.
  func report(_ failure: TLSFailure, _ endpoint: Endpoint, _ service: UpstreamService) {
    guard let noticeSink, endpoint.quietUntil <= worker.now else { return }
    endpoint.quietUntil = worker.now.advanced(byNanoseconds: 10_000_000_000)
    noticeSink(UpstreamNotice(service: service.name, endpoint: endpoint.name, text: failure.description))
  }

  func report(_ failure: PluginFailure, of plugin: AttachedPlugin) {
    guard let pluginSink, plugin.quietUntil <= worker.now else { return }
    plugin.quietUntil = worker.now.advanced(byNanoseconds: 10_000_000_000)
    pluginSink(
      PluginNotice(
        plugin: plugin.attachment.name, scope: plugin.scope.description, text: failure.message))
  }
}
