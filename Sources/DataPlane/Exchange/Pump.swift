import HTTPCodec
import Runtime

/// Why an endpoint's part of an exchange failed.
enum UpstreamFailure {
  case closedWithoutResponse
  /// The endpoint reset the stream; its connection goes on.
  case streamReset
  case closedInResponse
  case malformedResponse
  /// The endpoint has not begun to process the request (RFC 9113 §8.7).
  case refusedStream
  case responseTimeout
  /// The call's own deadline has passed.
  case deadline
  /// No progress in either direction.
  case stalled
  /// The content is longer than it may be here.
  case tooLarge
}

/// Why an attempt may be repeated.
enum RetryReason {
  case connectFailure
  case reset
  case responseTimeout
  case status
}

/// How the pump ended.
enum PumpEnd {
  case complete
  /// The endpoint has agreed to another protocol.
  case switched
  case retry(RetryReason)
  /// A plugin answers in place of the endpoint.
  case replaced
  case upstreamFailed(UpstreamFailure)
  /// The client's content is malformed or too large.
  case requestRefused(ContentError)
  case clientClosed
  /// The client sends or receives too slowly.
  case clientTimeout
  case aborted
}

/// What is wrong with a request's content.
enum ContentError {
  case malformed(HTTP1Error)
  case tooLarge
}

extension Exchange {
  /// Moves the request up and the response down, both at once, until one side ends it.
  ///
  /// Each direction holds at most one buffer: what the receiver does not take is not read from the
  /// sender.
  func pump(_ connection: UpstreamConnection) async -> PumpEnd {
    let socket = client.transport
    while true {
      if let end { return end }
      beginRound()
      if !upload.isDone { advanceUpload(connection) }
      if end == nil { advanceDownload(connection) }
      if let end { return end }
      if client.isAborted { return .aborted }
      if socket.readiness.contains(.peerClosed) && !clientWants.contains(.readable) { return .clientClosed }
      if uploadTurnsLeft == 0 || downloadTurnsLeft == 0 {
        await Task.yield()
        continue
      }
      clientWants.insert(.peerClosed)
      let held = willWait()
      let start = worker.now
      let wake = await client.wait(
        for: socket, clientWants, or: connection.transport, upstreamWants,
        until: min(nextDeadline(), rateDeadline(), pausedUntil))
      hasWaited(since: start, holding: held)
      if wake == .deadline, let end = expiredWait() { return end }
    }
  }

  /// Receives that either direction may make before it lets others run: a transfer between fast
  /// peers would never have to wait.
  static let receivesPerRound = 16

  func beginRound() {
    clientWants = []
    upstreamWants = []
    pausedUntil = .never
    uploadTurnsLeft = Self.receivesPerRound
    downloadTurnsLeft = Self.receivesPerRound
  }

  func nextDeadline() -> MonotonicTime {
    let settings = service!.settings
    var deadline = callDeadline
    if clientWants.contains(.writable) {
      deadline = min(
        deadline, download.lastClientProgress.advanced(byNanoseconds: data.settings.sendNanoseconds))
    }
    if clientWants.contains(.readable) {
      deadline = min(deadline, upload.lastProgress.advanced(byNanoseconds: bodyNanoseconds))
    }
    if upstreamWants.contains(.writable) {
      deadline = min(deadline, upload.lastProgress.advanced(byNanoseconds: settings.idleNanoseconds))
    }
    if upstreamWants.contains(.readable) {
      if download.phase != .head {
        deadline = min(
          deadline, download.lastUpstreamProgress.advanced(byNanoseconds: contentNanoseconds))
      } else if upload.isDone {
        deadline = min(deadline, upload.doneAt.advanced(byNanoseconds: settings.responseNanoseconds))
      }
    }
    return deadline
  }

  /// How long the client may be silent within its content. Streams of gRPC are conversations: either
  /// side may have nothing to say for as long as in a tunnel.
  private var bodyNanoseconds: Int64 {
    isGRPC ? service!.settings.tunnelNanoseconds : data.settings.bodyNanoseconds
  }

  /// How long the endpoint may be silent within its content.
  private var contentNanoseconds: Int64 {
    isGRPC ? service!.settings.tunnelNanoseconds : service!.settings.idleNanoseconds
  }

  /// Which of the timeouts it was that passed; nil: none after all.
  private func expiredWait() -> PumpEnd? {
    let now = worker.now
    if callDeadline <= now { return .upstreamFailed(.deadline) }
    if clientWants.contains(.writable),
      download.lastClientProgress.advanced(byNanoseconds: data.settings.sendNanoseconds) <= now,
      !clientTakes()
    {
      return .clientTimeout
    }
    if clientWants.contains(.readable),
      upload.lastProgress.advanced(byNanoseconds: bodyNanoseconds) <= now
    {
      return .clientTimeout
    }
    if let reason = slowness() {
      data.counters.figures.refusalReasons.record(reason)
      // What the system still holds for it would go on taking memory for as long as it likes.
      if reason == .slowResponse { client.mustReset = true }
      return .clientTimeout
    }
    if nextDeadline() > now { return nil }
    if download.phase == .head && upload.isDone {
      return mayRetry(.responseTimeout) ? .retry(.responseTimeout) : .upstreamFailed(.responseTimeout)
    }
    return .upstreamFailed(.stalled)
  }

  // MARK: Retries

  /// Whether nothing of the request was let go and nothing of a response was passed on, so that
  /// another endpoint may serve it.
  var canBeRepeated: Bool { !upload.hasStreamed && !download.hasSentFinalHead && record.sentBytes == 0 }

  func mayRetry(status: UInt16) -> Bool {
    let settings = service!.settings
    guard settings.retryConditions.includes(status: status) else { return false }
    return isRetrySafe(settings) && takeRetry(settings)
  }

  func mayRetry(_ reason: RetryReason) -> Bool {
    let settings = service!.settings
    switch reason {
    case .connectFailure:
      // Nothing was sent: safe for every method.
      guard settings.retryConditions.includesConnectFailure, canBeRepeated else { return false }
      return takeRetry(settings)
    case .reset:
      guard settings.retryConditions.includesReset else { return false }
    case .responseTimeout:
      guard settings.retryConditions.includesResponseTimeout else { return false }
    case .status:
      return false
    }
    return isRetrySafe(settings) && takeRetry(settings)
  }

  /// For what the settings allow whatever the method.
  func mayRetryAnyMethod() -> Bool { canBeRepeated && takeRetry(service!.settings) }

  private func isRetrySafe(_ settings: ServiceSettings) -> Bool {
    canBeRepeated && (request.method.isIdempotent || settings.retriesNonIdempotent)
  }

  private func takeRetry(_ settings: ServiceSettings) -> Bool {
    guard Int(record.retries) < settings.retryAttempts else { return false }
    if service!.retryBudget.takeRetry(at: worker.now) { return true }
    data.counters.figures.retryBudgetExhausted &+= 1
    return false
  }
}
