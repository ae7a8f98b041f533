import Runtime

/// How fast a client sends or takes content, over windows of time in which the exchange waits for it.
///
/// This is for clients that trickle. Silence has timeouts: a window begins with the first bytes, and one in
/// which there were none does not count.
struct ClientRate {
  /// Of this window, in nanoseconds.
  private(set) var waited: Int64 = 0
  /// What had been moved when the window began; nil where the next wait begins one.
  private var movedBefore: UInt64?
  private var hasMoved = false

  /// To be called before the exchange waits for the client.
  mutating func willWait(moved: () -> UInt64) {
    let moved = moved()
    guard let movedBefore else {
      movedBefore = moved
      return
    }
    if hasMoved { return }
    // What was waited for until now was silence.
    waited = 0
    hasMoved = moved > movedBefore
  }

  mutating func noteWait(_ nanoseconds: Int64) { waited += nanoseconds }

  /// Ends the window if it is over.
  /// - Returns: false when something was moved in it, but less than `rate` bytes a second.
  mutating func isFastEnough(rate: Int, window: Int64, moved: () -> UInt64) -> Bool {
    guard waited >= window else { return true }
    let moved = moved()
    let bytes = Double(moved - min(movedBefore ?? moved, moved))
    let wanted = Double(rate) * Double(waited) / 1e9
    waited = 0
    movedBefore = nil
    hasMoved = false
    return bytes >= wanted || bytes == 0
  }
}

extension Exchange {
  /// Before the pump waits: what the client is waited for counts, and what is held meanwhile.
  func willWait() -> Waiting {
    var unsent = 0
    if clientWants.contains(.readable) { upload.rate.willWait { record.receivedBytes } }
    if clientWants.contains(.writable) {
      unsent = client.transport.unsentBytes
      let taken = takenBytes(unsent)
      download.rate.willWait { taken }
      if download.takenAt != download.lastClientProgress {
        download.takenAt = download.lastClientProgress
        download.takenBytes = taken
      }
    }
    let held = residentBytes
    data.buffers.hold(held)
    data.buffers.holdUnsent(unsent)
    if held + unsent >= BufferBudget.exchangeBytes { data.updateBuffers() } else { data.lookAtBuffers() }
    guard data.buffers.isShort, giveBackPages() else { return Waiting(held: held, unsent: unsent) }
    let left = residentBytes
    data.buffers.hold(left - held)
    return Waiting(held: left, unsent: unsent)
  }

  /// What counts while an exchange waits.
  struct Waiting {
    /// In its buffers.
    let held: Int
    /// With the system.
    let unsent: Int
  }

  /// What its buffers hold, but for what is counted until it is over.
  var heldBytes: Int {
    input.count + toUpstream.count + response.count + toClient.count + (held?.buffer.count ?? 0)
      - gatheredBytes
  }

  /// The same with what was taken of them and is still in memory: a peer that moves much and then hardly anything
  /// would otherwise have what nobody counts.
  private var residentBytes: Int {
    input.reach + toUpstream.reach + response.reach + toClient.reach + (held?.buffer.reach ?? 0)
      - gatheredBytes
  }

  func hasWaited(since start: MonotonicTime, holding waiting: Waiting) {
    data.buffers.release(waiting.held)
    data.buffers.releaseUnsent(waiting.unsent)
    let waited = worker.now.nanoseconds(since: start)
    if clientWants.contains(.readable) { upload.rate.noteWait(waited) }
    if clientWants.contains(.writable) { download.rate.noteWait(waited) }
  }

  /// Of a response, what was sent is in memory until all that was received with it is.
  /// - Returns: whether there was much.
  private func giveBackPages() -> Bool {
    let sent = download.staged.lowerBound
    if sent > 0 {
      response.consume(sent)
      download.staged = 0..<download.staged.count
    }
    // Each is asked, whatever the others have.
    let least = BufferBudget.tightReceiveBytes
    let fromInput = input.giveBackTaken(atLeast: least)
    let fromUpload = toUpstream.giveBackTaken(atLeast: least)
    let fromResponse = response.giveBackTaken(atLeast: least)
    let fromDownload = toClient.giveBackTaken(atLeast: least)
    return fromInput || fromUpload || fromResponse || fromDownload
  }

  /// What the client has taken of the response: what was sent, without what its system has not
  /// acknowledged. A socket is reported writable when a third of what it holds is gone, which may take a
  /// slow client minutes.
  private var takenBytes: UInt64 { takenBytes(client.transport.unsentBytes) }

  /// The same where it is known what its system has not acknowledged.
  private func takenBytes(_ unsent: Int) -> UInt64 {
    record.sentBytes - min(UInt64(unsent), record.sentBytes)
  }

  /// Streams of gRPC are conversations; those of HTTP/2 open their windows in large steps, so that their
  /// rates say something over the time that they may be silent.
  private func window(_ silence: Int64) -> Int64 {
    client.stream == nil ? data.settings.rateWindowNanoseconds : silence
  }

  private var bodyRate: Int? { isGRPC ? nil : data.settings.bodyRate }
  private var responseRate: Int? { isGRPC ? nil : data.settings.responseRate }

  /// When the rates have to be looked at next.
  func rateDeadline() -> MonotonicTime {
    var left = Int64.max
    let settings = data.settings
    if clientWants.contains(.readable), bodyRate != nil {
      left = window(settings.bodyNanoseconds) - upload.rate.waited
    }
    if clientWants.contains(.writable), responseRate != nil {
      left = min(left, window(settings.sendNanoseconds) - download.rate.waited)
    }
    return left == .max ? .never : worker.now.advanced(byNanoseconds: max(left, 0))
  }

  /// Why the client is too slow, if it is.
  func slowness() -> RefusalReason? {
    let settings = data.settings
    if clientWants.contains(.readable), let rate = bodyRate,
      !upload.rate.isFastEnough(
        rate: rate, window: window(settings.bodyNanoseconds), moved: { record.receivedBytes })
    {
      return .slowBody
    }
    if clientWants.contains(.writable), let rate = responseRate,
      !download.rate.isFastEnough(
        rate: rate, window: window(settings.sendNanoseconds), moved: { takenBytes })
    {
      return .slowResponse
    }
    return nil
  }

  /// Whether the client has taken something since it was asked last, though the socket is still full.
  func clientTakes() -> Bool {
    let taken = takenBytes
    guard taken > download.takenBytes else { return false }
    download.takenBytes = taken
    download.lastClientProgress = worker.now
    return true
  }
}
