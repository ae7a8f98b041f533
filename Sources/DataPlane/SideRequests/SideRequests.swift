import HTTPCodec
import Resources
import Runtime

/// The side requests of one worker.
struct SideRequests {
  /// Each has an exchange, some 16 KiB at least. Those that requests wait for; above, they fail at once.
  static let attendedMax = 10_000
  /// Those that nobody waits for: fewer, since nothing is lost with one that is not sent.
  static let unattendedMax = 1_000

  /// Nothing is added to what a plugin says, and nothing taken away.
  let settings: ConnectionSettings
  private var clients: [SideClient] = []
  private var unattendedCount = 0
  /// Those that count among their services' requests in flight.
  var atEndpoints = 0

  init(workerCount: Int) {
    var http = HTTPSettings()
    http.forwarding.xForwarded = false
    http.forwarding.forwarded = false
    http.forwarding.requestID = false
    http.forwarding.via = false
    http.forwarding.clientCertificate = false
    settings = ConnectionSettings(http, workerCount: workerCount)
  }

  var count: Int { clients.count }
  var hasRoom: Bool { clients.count - unattendedCount < Self.attendedMax }
  var hasRoomForUnattended: Bool { unattendedCount < Self.unattendedMax }

  mutating func add(_ client: SideClient) {
    client.position = clients.count
    clients.append(client)
    if client.isUnattended { unattendedCount += 1 }
  }

  mutating func remove(_ client: SideClient) {
    let last = clients.removeLast()
    if last !== client {
      clients[client.position] = last
      last.position = client.position
    }
    if client.isUnattended { unattendedCount -= 1 }
  }

  /// Ends all of them.
  func abandon() {
    for client in clients { client.abandon() }
  }
}

extension DataPlaneWorker {
  func sideRequestEnded(_ client: SideClient) {
    sideRequests.remove(client)
    finishDrainIfEmpty()
  }
}

/// Requests of the gateway's own, for plugins. On the worker's thread.
extension Exchange {
  /// Sends a request to a service and waits for its response. In ``Plugin/finishWaiting(_:)``, one at a time.
  ///
  /// It goes as any request goes that a route sends to this service: its endpoints, balancing, connections, TLS,
  /// protocol, limits, retries and ejection hold. It ends when this exchange's client goes away, or its call's
  /// deadline passes. It is counted for the plugin, and not as a client's request; it meets no plugin.
  ///
  /// - Throws: why there is no response.
  public func ask(
    _ service: UpstreamService?, _ request: SideRequest, countedBy counters: PluginCounters
  ) async throws(SideFailure) -> SideResponse {
    guard let service else { throw fail(.noEndpoint, counters) }
    if hasLostClient { throw fail(.cancelled, counters) }
    guard data.sideRequests.hasRoom else { throw fail(.dropped, counters) }
    let side = SideClient(request, for: client, address: record.client, isUnattended: false)
    let held = heldBytes + request.content.count
    data.buffers.hold(held)
    data.lookAtBuffers()
    // The task waits there; news of the client that it is for ends it.
    client.sideClient = side
    client.transport.interest = .peerClosed
    let deadline = worker.now.advanced(byNanoseconds: request.timeoutNanoseconds)
    await side.perform(on: service, until: min(deadline, callDeadline))
    client.transport.interest = []
    client.sideClient = nil
    data.buffers.release(held)
    counters.figures.sideRequests.count(side.result)
    guard let response = side.response else { throw SideFailure(result: side.result) }
    return response
  }

  private func fail(_ result: SideResult, _ counters: PluginCounters) -> SideFailure {
    counters.figures.sideRequests.count(result)
    return SideFailure(result: result)
  }

  /// Sends a request to a service; nobody waits for it, and this exchange does not feel whatever becomes of it.
  /// It is not sent at all where too many are under way, or memory is short. Counted for the plugin.
  ///
  /// - whenOver: Called when it has ended, on this thread; nil: there is no response. Not called where it is not
  ///   sent.
  /// - Returns: whether it is sent.
  @discardableResult
  public func sendAside(
    _ service: UpstreamService?, _ request: SideRequest, countedBy counters: PluginCounters,
    whenOver: ((SideResponse?) -> Void)? = nil
  ) -> Bool {
    guard let service else {
      counters.figures.sideRequests.count(.noEndpoint)
      return false
    }
    guard data.sideRequests.hasRoomForUnattended, data.buffers.level == .low else {
      counters.figures.sideRequests.count(.dropped)
      return false
    }
    let side = SideClient(request, for: client, address: record.client, isUnattended: true)
    let deadline = worker.now.advanced(byNanoseconds: request.timeoutNanoseconds)
    let held = request.content.count
    let data = data
    data.buffers.hold(held)
    worker.spawn {
      await side.perform(on: service, until: deadline)
      data.buffers.release(held)
      counters.figures.sideRequests.count(side.result)
      whenOver?(side.response)
    }
    return true
  }
}
