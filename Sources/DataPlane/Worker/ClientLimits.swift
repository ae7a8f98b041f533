import Runtime

/// What a worker takes of its clients, and what it does where that gets too much.
extension DataPlaneWorker {
  // MARK: Connections

  /// Why a connection may not be taken, after room was made where that is possible. Otherwise it is counted
  /// for its address.
  func refusalOfConnection(on listener: BoundListener, from peer: SocketAddress) -> RefusalReason? {
    // First: nobody has to make room for one that is not wanted.
    if !listener.usesPROXYProtocol, pluginsRefuse(peer) { return .plugin }
    if listener.connections.count >= listener.connectionsMax { return .listenerConnections }
    if connectionCount >= settings.connectionsMax, !closeLongestIdle() { return .connections }
    // Behind a PROXY header is another address.
    if !listener.usesPROXYProtocol, !connect(peer) { return .addressConnections }
    return nil
  }

  /// All are counted, and those without a limit refused never: one may be set, and trust may end, while they
  /// are connected.
  private func connect(_ peer: SocketAddress) -> Bool {
    let limit = settings.trusts(peer) ? nil : settings.addressConnectionsMax
    return addresses.connect(ClientAddresses.Key(peer), limit: limit ?? .max, now: worker.now)
  }

  /// Counts the connection for the address that its PROXY header names.
  /// - Returns: false when a plugin has it closed, or the address has as many as it may.
  func addressIsKnown(of connection: ClientConnection) -> Bool {
    if pluginsRefuse(connection.peer) {
      countRefusedConnection(.plugin)
      return false
    }
    guard connect(connection.peer) else {
      countRefusedConnection(.addressConnections)
      return false
    }
    connection.countedAddress = ClientAddresses.Key(connection.peer)
    return true
  }

  func countRefusedConnection(_ reason: RefusalReason) {
    counters.figures.connectionsRefused &+= 1
    counters.figures.refusalReasons.record(reason)
  }

  // MARK: Handshakes

  /// Why another TLS handshake may not begin.
  func refusalOfHandshake(_ connection: ClientConnection) -> RefusalReason? {
    if let rate = settings.addressHandshakeRate, let key = connection.countedAddress,
      !settings.trusts(connection.peer), !addresses.takeHandshake(key, rate: rate, now: worker.now)
    {
      return .addressHandshakes
    }
    if isShedding, !admission.admitsHandshake() { return .admission }
    return mayShakeHands || closeOldestHandshake() ? nil : .handshakes
  }

  // MARK: Requests

  /// No more requests may be at endpoints than there are. What the gateway asks itself is on behalf of one of them,
  /// or bounded apart.
  var hasRequestsEnough: Bool {
    counters.figures.requestsInFlight - sideRequests.atEndpoints + requestsAtPlugins >= settings.inFlightMax
  }

  // MARK: Buffers

  /// What counts against `bufferBytes`.
  var usedBufferBytes: Int {
    let others = worker.buffers.lentCount - exchangeCount * Exchange.bufferCount
    return buffers.usedBytes(exchanges: exchangeCount, otherBuffers: max(others, 0))
  }

  /// Compares what is held in buffers with the budget, and makes room where it gets short.
  func updateBuffers() {
    buffers.update(used: usedBufferBytes)
    if buffers.level > .low {
      dissolveFreeExchanges()
      buffers.update(used: usedBufferBytes)
    }
    if buffers.level >= .high { admission.makeRoomSoon() }
    admission.refresh()
  }

  /// Closes what is idle for want of memory. Not in the middle of anything: a connection of HTTP/2 is idle
  /// until its first request's head was taken apart.
  func closeIdleForRoom() {
    var left = Self.idleClosedMax
    while left > 0, buffers.level >= .high, closeLongestIdle() {
      left -= 1
      buffers.update(used: usedBufferBytes)
    }
  }

  /// The same where what is held has grown since it was compared last.
  @inline(__always)
  func lookAtBuffers() {
    if usedBufferBytes > buffers.lookAbove { updateBuffers() }
  }

  /// Idle connections that are closed at a time for want of room.
  private static let idleClosedMax = 16
}
