/// Why the gateway refused a connection or a request to protect itself, its services or other clients, or because a
/// plugin has it refuse connections.
public enum RefusalReason: Int, Sendable, CaseIterable {
  // Connections.
  case connections
  case listenerConnections
  case addressConnections
  case handshakes
  case addressHandshakes
  case plugin

  // Requests.
  case inFlight
  case memory
  /// The worker has more to do than it can.
  case admission
  case serviceConcurrency
  case serviceQueue
  case serviceQueueTimeout

  // Clients that are too slow.
  case slowHead
  case slowBody
  case slowResponse

  /// As a metric's label.
  public var name: StaticString {
    switch self {
    case .connections: "connections"
    case .listenerConnections: "listener_connections"
    case .addressConnections: "address_connections"
    case .handshakes: "handshakes"
    case .addressHandshakes: "address_handshakes"
    case .plugin: "plugin"
    case .inFlight: "in_flight"
    case .memory: "memory"
    case .admission: "admission"
    case .serviceConcurrency: "service_concurrency"
    case .serviceQueue: "service_queue"
    case .serviceQueueTimeout: "service_queue_timeout"
    case .slowHead: "slow_head"
    case .slowBody: "slow_body"
    case .slowResponse: "slow_response"
    }
  }
}

/// Refusals by ``RefusalReason``.
public struct RefusalReasonCounts: Sendable {
  private var counts = InlineArray<15, UInt64>(repeating: 0)

  public init() {}

  public subscript(_ reason: RefusalReason) -> UInt64 { counts[reason.rawValue] }

  mutating func record(_ reason: RefusalReason) { counts[reason.rawValue] &+= 1 }

  mutating func add(_ other: RefusalReasonCounts) {
    for index in counts.indices { counts[index] &+= other.counts[index] }
  }
}
