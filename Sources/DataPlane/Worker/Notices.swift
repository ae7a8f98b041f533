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
