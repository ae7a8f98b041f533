/// What a worker holds now of what has limits, for those who check them: counted anew each time.
public struct WorkerHoldings: Sendable {
  /// What counts against `bufferBytes`, and the part of it that exchanges at a halt and unfinished heads hold.
  public var bufferBytes = 0
  public var waitingBytes = 0
  /// Connections of clients by the listener's name; those of listeners that are gone are not in it.
  public var listenerConnections: [String: Int] = [:]
  /// Connections of the address that has most of those that count.
  public var addressConnectionsMax = 0
  /// Connections whose next request waits, unread.
  public var heldBack = 0
  public var isOverloaded = false
  /// Requests of the gateway's own, and those of them that services count.
  public var sideRequests = 0
  public var sideRequestsAtEndpoints = 0
  /// Requests for which a plugin waits.
  public var requestsAtPlugins = 0
}

extension DataPlaneWorker {
  public var holdings: WorkerHoldings {
    var holdings = WorkerHoldings()
    holdings.bufferBytes = usedBufferBytes
    holdings.waitingBytes = buffers.heldBytes
    for case let slot? in listeners.slots {
      holdings.listenerConnections[slot.definition.name] = slot.bound?.connections.count ?? 0
    }
    holdings.addressConnectionsMax = addresses.connectionsMax
    holdings.heldBack = admission.heldCount
    holdings.isOverloaded = admission.isOverloaded
    holdings.sideRequests = sideRequests.count
    holdings.sideRequestsAtEndpoints = sideRequests.atEndpoints
    holdings.requestsAtPlugins = requestsAtPlugins
    return holdings
  }
}
