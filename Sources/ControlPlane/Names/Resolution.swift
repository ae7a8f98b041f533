import Runtime

/// What a name stands for at present.
public struct Resolution: Sendable, Equatable {
  /// With port 0; IPv4 first, then in numerical order, each once.
  public var addresses: [SocketAddress]
  /// How long the answer holds: the smallest TTL on the way to it. `nil` where it is not from
  /// DNS but from the hosts file.
  public var timeToLive: Duration?

  public init(addresses: [SocketAddress], timeToLive: Duration?) {
    self.addresses = addresses
    self.timeToLive = timeToLive
  }
}

/// Why a name has no answer.
public struct ResolverError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Reason: Sendable, Equatable {
    /// The servers say that there is no such name.
    case notFound
    /// The name exists, without an IPv4 or IPv6 address.
    case noAddress
    /// No server answered in time.
    case timedOut
    /// The servers answered with a failure, or cannot be reached.
    case serverFailure
    /// The name cannot be asked for.
    case invalidName
    /// The task was cancelled, or the resolver stopped.
    case cancelled
    case other
  }
  public var reason: Reason
  public var description: String

  public init(_ reason: Reason, _ description: String) {
    self.reason = reason
    self.description = description
  }

  static let cancelled = ResolverError(.cancelled, "the query was cancelled")
}

extension SocketAddress {
  /// IPv4 first, then in numerical order of address and port.
  func precedes(_ other: SocketAddress) -> Bool {
    if isIPv4 != other.isIPv4 { return isIPv4 }
    for index in 0..<16 where octets[index] != other.octets[index] {
      return octets[index] < other.octets[index]
    }
    return port < other.port
  }
}
