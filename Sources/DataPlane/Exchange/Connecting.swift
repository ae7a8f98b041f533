import Runtime
import TLS

/// How an exchange comes by a connection to its endpoint.
extension Exchange {
  /// An idle connection, checked a second time for requests that must not be sent twice: a server
  /// may be closing it just now. With HTTP/2, a stream on a connection that has room.
  func takeIdle(_ endpoint: Endpoint, _ service: UpstreamService) -> UpstreamConnection? {
    if service.hasConnectionQueue { return nil }
    return takeAvailable(endpoint, service)
  }

  private func takeAvailable(_ endpoint: Endpoint, _ service: UpstreamService) -> UpstreamConnection? {
    if service.settings.speaksHTTP2, upgrade == .none {
      if let stream = service.takeStream(to: endpoint, for: self) { return stream }
      if service.settings.speaksHTTP2Only { return nil }
    }
    while let connection = service.takeIdle(to: endpoint, for: client) {
      if (request.method.isIdempotent && upload.isRead) || connection.transport.isQuiet() {
        return connection
      }
      service.close(connection)
    }
    return nil
  }

  /// How an attempt to connect ended.
  enum Connecting {
    case connected(UpstreamConnection)
    /// Own fault: the gateway has no descriptor or port left, which says nothing of the endpoint.
    case failed(isTimeout: Bool, isOwnFault: Bool)
    case refused(Answer)
    case clientClosed
  }

  func connect(to endpoint: Endpoint, of service: UpstreamService) async -> Connecting {
    let started = worker.now
    // What came with the head waits as well.
    let held = input.count - gatheredBytes
    data.buffers.hold(held)
    defer {
      data.buffers.release(held)
      record.connectNanoseconds += worker.now.nanoseconds(since: started)
    }
    let multiplexes =
      service.settings.speaksHTTP2 && upgrade == .none
      && (service.settings.speaksHTTP2Only || !endpoint.speaksHTTP1)
    if multiplexes, let end = await waitForConnector(to: endpoint, of: service) { return end }
    if !service.mayConnect || service.hasConnectionQueue
      || (multiplexes && !service.mayMultiplex(to: endpoint))
    {
      switch await waitForConnection(to: endpoint, of: service) {
      case .some(let end): return end
      case nil: break
      }
    }
    if !multiplexes { return await open(endpoint, service) }
    endpoint.isConnecting = true
    let result = await open(endpoint, service)
    // With HTTP/2, others wait until the endpoint has said how many streams it takes.
    if case .connected(let connection) = result, connection.stream != nil { return result }
    endpoint.endConnecting()
    service.connectingEnded()
    return result
  }

  /// One request makes a connection for all that would use it; the others wait for that.
  /// - Returns: a stream, or why there is none; nil when this one is to make the connection.
  private func waitForConnector(to endpoint: Endpoint, of service: UpstreamService) async -> Connecting? {
    let deadline = min(
      callDeadline, worker.now.advanced(byNanoseconds: service.settings.connectNanoseconds))
    while endpoint.isConnecting {
      guard service.joinConnectors(to: endpoint, client) else {
        data.counters.figures.queueOverflows &+= 1
        data.counters.figures.refusalReasons.record(.serviceQueue)
        return .refused(.overloaded)
      }
      client.transport.interest = .peerClosed
      let wake = await client.sleep(until: deadline)
      client.transport.interest = []
      service.leaveConnectors(to: endpoint, client)
      if client.isAborted || client.transport.readiness.contains(.peerClosed) { return .clientClosed }
      if wake == .deadline {
        if callDeadline <= worker.now { return .refused(.deadlineExceeded) }
        return .failed(isTimeout: true, isOwnFault: false)
      }
      if let stream = takeAvailable(endpoint, service) { return .connected(stream) }
    }
    return nil
  }

  /// Opens a connection: TCP, then TLS, then what both ends agree to speak.
  private func open(_ endpoint: Endpoint, _ service: UpstreamService) async -> Connecting {
    if service.lacksTLS { return .failed(isTimeout: false, isOwnFault: true) }
    data.counters.figures.upstreamConnects &+= 1
    let generation = service.tlsGeneration
    let tls = service.tls.map { ($0, service.settings.service.tls?.serverName) }
    // A connection of HTTP/2 is for many exchanges, and has windows of its own.
    let window =
      data.buffers.isShort && !service.settings.speaksHTTP2 ? BufferBudget.tightReceiveBytes : nil
    let socket: Socket
    do {
      socket =
        tls == nil
        ? try Socket(connectingTo: endpoint.address, on: worker, windowBytes: window)
        : try TLSSocket(connectingTo: endpoint.address, on: worker, windowBytes: window)
    } catch {
      if error.isShortage { data.relieveDescriptors() }
      data.counters.figures.upstreamConnectFailures &+= 1
      return .failed(isTimeout: false, isOwnFault: error.isShortage)
    }
    socket.watcher = client
    service.connectionOpened()
    let deadline = min(
      callDeadline, worker.now.advanced(byNanoseconds: service.settings.connectNanoseconds))
    var failure = await waitForTCP(socket, until: deadline)
    if failure == nil, let (context, serverName) = tls, let socket = socket as? TLSSocket {
      socket.startClient(context, serverName: serverName ?? endpoint.host, endpoint: endpoint.address)
      failure = await shakeHands(socket, until: deadline)
    }
    if let failure {
      if case .failed = failure { data.counters.figures.upstreamConnectFailures &+= 1 }
      socket.close()
      service.connectionClosed()
      // The client's own impatience says nothing of the endpoint.
      if case .failed(isTimeout: true, _) = failure, callDeadline <= worker.now {
        return .refused(.deadlineExceeded)
      }
      return failure
    }
    guard generation == service.tlsGeneration else {
      // The settings have changed meanwhile: what was agreed with the old ones must not be used.
      socket.close()
      service.connectionClosed()
      return .failed(isTimeout: false, isOwnFault: true)
    }
    return opened(socket, endpoint, service)
  }

  private func opened(_ socket: Socket, _ endpoint: Endpoint, _ service: UpstreamService) -> Connecting {
    let agreed = (socket as? TLSSocket)?.applicationProtocol
    let speaksHTTP2 =
      service.settings.speaksHTTP2Only ? service.tls == nil || agreed == .http2 : agreed == .http2
    endpoint.speaksHTTP1 = !speaksHTTP2
    guard speaksHTTP2 else {
      guard !service.settings.speaksHTTP2Only else {
        // An endpoint that does not agree to the only protocol that the service may use.
        data.counters.figures.upstreamConnectFailures &+= 1
        data.report(TLSFailure(.noSharedApplicationProtocol), endpoint, service)
        socket.close()
        service.connectionClosed()
        return .failed(isTimeout: false, isOwnFault: false)
      }
      return .connected(UpstreamConnection(socket, to: endpoint, of: service, on: worker))
    }
    guard upgrade == .none else {
      socket.close()
      service.connectionClosed()
      return .refused(.upgradeNotSupported)
    }
    let multiplexer = HTTP2UpstreamConnection(socket, to: endpoint, of: service, data: data)
    multiplexer.begin()
    guard let stream = multiplexer.lease(for: self) else {
      return .failed(isTimeout: false, isOwnFault: false)
    }
    // TLS may have brought the endpoint's SETTINGS with the end of its handshake.
    if !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) { multiplexer.socketIsReady(socket) }
    return .connected(stream)
  }

  /// - Returns: why there is no connection; nil when there is one.
  private func waitForTCP(_ socket: Socket, until deadline: MonotonicTime) async -> Connecting? {
    while true {
      let wake = await client.wait(
        for: socket, .writable, or: client.transport, .peerClosed, until: deadline)
      if client.isAborted || client.transport.readiness.contains(.peerClosed) { return .clientClosed }
      if wake == .deadline { return .failed(isTimeout: true, isOwnFault: false) }
      guard socket.readiness.contains(.writable) else { continue }
      return socket.connectError() == nil ? nil : .failed(isTimeout: false, isOwnFault: false)
    }
  }

  private func shakeHands(_ socket: TLSSocket, until deadline: MonotonicTime) async -> Connecting? {
    while true {
      let wanted: Readiness
      switch socket.handshake() {
      case .done: return nil
      case .failed(let failure):
        data.counters.figures.upstreamHandshakeFailures &+= 1
        record.tlsFailure = failure
        if let endpoint = servedBy, let service { data.report(failure, endpoint, service) }
        return .failed(isTimeout: false, isOwnFault: false)
      case .wantsRead: wanted = [.readable, .peerClosed]
      case .wantsWrite: wanted = [.readable, .writable, .peerClosed]
      }
      let wake = await client.wait(for: socket, wanted, or: client.transport, .peerClosed, until: deadline)
      if client.isAborted || client.transport.readiness.contains(.peerClosed) { return .clientClosed }
      if wake == .deadline { return .failed(isTimeout: true, isOwnFault: false) }
    }
  }

  // MARK: Limits

  /// Waits until one more request may be in flight.
  /// - Returns: what to answer when it was in vain.
  func waitForTurn(_ service: UpstreamService) async -> Answer? {
    let started = worker.now
    let held = input.count - gatheredBytes
    data.buffers.hold(held)
    defer {
      data.buffers.release(held)
      record.connectNanoseconds += worker.now.nanoseconds(since: started)
    }
    return await wait(.turn, service) { service.hasRoomForRequest }
  }

  /// Waits until a connection is idle or one more may be made.
  /// - Returns: the idle one, or why there is none; nil when one may be made.
  private func waitForConnection(to endpoint: Endpoint, of service: UpstreamService) async -> Connecting? {
    var idle: UpstreamConnection?
    let multiplexes = service.settings.speaksHTTP2 && upgrade == .none
    let refusal = await wait(.connection, service) {
      idle = takeAvailable(endpoint, service)
      if idle != nil { return true }
      if multiplexes && (endpoint.isConnecting || !service.mayMultiplex(to: endpoint)) { return false }
      return service.mayConnect || service.closeOneIdle()
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
      data.counters.figures.refusalReasons.record(.serviceQueue)
      return .overloaded
    }
    defer { service.leave(wait, client) }
    let deadline = min(
      callDeadline, worker.now.advanced(byNanoseconds: service.settings.pendingNanoseconds))
    // The first in an empty queue may find that something idle can make room.
    while !(service.isFirst(client, wait) && isSatisfied()) {
      if client.transport.readiness.contains(.peerClosed) { return .clientClosed }
      client.transport.interest = .peerClosed
      let wake = await client.sleep(until: deadline)
      client.transport.interest = []
      if client.isAborted || client.transport.readiness.contains(.peerClosed) { return .clientClosed }
      if wake == .deadline {
        if callDeadline <= worker.now { return .deadlineExceeded }
        data.counters.figures.queueTimeouts &+= 1
        data.counters.figures.refusalReasons.record(.serviceQueueTimeout)
        return .overloaded
      }
    }
    return nil
  }
}
