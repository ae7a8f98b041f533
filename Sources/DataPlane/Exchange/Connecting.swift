import Runtime

/// How an exchange comes by a connection to its endpoint.
extension Exchange {
  /// An idle connection, checked a second time for requests that must not be sent twice: a server
  /// may be closing it just now.
  func takeIdle(_ endpoint: Endpoint, _ service: UpstreamService) -> UpstreamConnection? {
    if service.hasConnectionQueue { return nil }
    return takeQuietIdle(endpoint, service)
  }

  private func takeQuietIdle(_ endpoint: Endpoint, _ service: UpstreamService) -> UpstreamConnection? {
    while let connection = service.takeIdle(to: endpoint, for: client) {
      if (request.method.isIdempotent && upload.isRead) || connection.socket.isQuiet() { return connection }
      service.close(connection)
    }
    return nil
  }

  enum Connecting {
    case connected(UpstreamConnection)
    /// Own fault: the gateway has no descriptor or port left, which says nothing of the endpoint.
    case failed(isTimeout: Bool, isOwnFault: Bool)
    case refused(Answer)
    case clientClosed
  }

  func connect(to endpoint: Endpoint, of service: UpstreamService) async -> Connecting {
    let started = worker.now
    defer { record.connectNanoseconds += worker.now.nanoseconds(since: started) }
    if !service.mayConnect || service.hasConnectionQueue {
      switch await waitForConnection(to: endpoint, of: service) {
      case .some(let end): return end
      case nil: break
      }
    }
    data.counters.figures.upstreamConnects &+= 1
    let socket: Socket
    do {
      socket = try Socket.connect(to: endpoint.address, on: worker)
    } catch {
      if error.isShortage { data.relieveDescriptors() }
      data.counters.figures.upstreamConnectFailures &+= 1
      return .failed(isTimeout: false, isOwnFault: error.isShortage)
    }
    socket.watcher = client
    service.connectionOpened()
    let connection = UpstreamConnection(socket, to: endpoint, of: service, on: worker)
    let deadline = worker.now.advanced(byNanoseconds: service.settings.connectNanoseconds)
    while true {
      switch await client.wait(for: socket, .writable, or: client.socket, .peerClosed, until: deadline) {
      case .deadline:
        data.counters.figures.upstreamConnectFailures &+= 1
        service.close(connection)
        return .failed(isTimeout: true, isOwnFault: false)
      case .ready, .interrupted:
        if client.isAborted || client.socket.readiness.contains(.peerClosed) {
          service.close(connection)
          return .clientClosed
        }
        guard socket.readiness.contains(.writable) else { continue }
        if socket.connectError() != nil {
          data.counters.figures.upstreamConnectFailures &+= 1
          service.close(connection)
          return .failed(isTimeout: false, isOwnFault: false)
        }
        return .connected(connection)
      }
    }
  }

  // MARK: Limits

  /// Waits until one more request may be in flight.
  /// - Returns: what to answer when it was in vain.
  func waitForTurn(_ service: UpstreamService) async -> Answer? {
    let started = worker.now
    defer { record.connectNanoseconds += worker.now.nanoseconds(since: started) }
    return await wait(.turn, service) { service.inFlight < service.settings.inFlightMax }
  }

  /// Waits until a connection is idle or one more may be made.
  /// - Returns: the idle one, or why there is none; nil when one may be made.
  private func waitForConnection(to endpoint: Endpoint, of service: UpstreamService) async -> Connecting? {
    var idle: UpstreamConnection?
    let refusal = await wait(.connection, service) {
      idle = takeQuietIdle(endpoint, service)
      return idle != nil || service.mayConnect || service.closeOneIdle()
    }
    if let refusal {
      if case .clientClosed = refusal { return .clientClosed }
      return .refused(refusal)
    }
    return idle.map { .connected($0) }
  }

  /// Waits in a queue of the service until `isSatisfied`, which is asked each time the request's
  /// turn may have come.
  private func wait(
    _ wait: UpstreamService.Wait, _ service: UpstreamService, isSatisfied: () -> Bool
  ) async -> Answer? {
    guard service.join(wait, client) else {
      data.counters.figures.queueOverflows &+= 1
      return .overloaded
    }
    defer { service.leave(wait, client) }
    let deadline = worker.now.advanced(byNanoseconds: service.settings.pendingNanoseconds)
    // The first in an empty queue may find that something idle can make room.
    while !(service.isFirst(client, wait) && isSatisfied()) {
      if client.socket.readiness.contains(.peerClosed) { return .clientClosed }
      client.socket.interest = .peerClosed
      let wake = await client.sleep(until: deadline)
      client.socket.interest = []
      if client.isAborted || client.socket.readiness.contains(.peerClosed) { return .clientClosed }
      if wake == .deadline {
        data.counters.figures.queueTimeouts &+= 1
        return .overloaded
      }
    }
    return nil
  }
}
