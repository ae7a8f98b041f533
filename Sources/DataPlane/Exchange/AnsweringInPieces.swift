import Runtime

/// Answers whose content is read while it is sent.
extension Exchange {
  /// - Returns: false where the answer has no pieces, or there is none yet.
  func takePiece() -> Bool {
    guard let pieces = heldAnswer?.pieces, let piece = pieces.take() else { return false }
    heldPiece = piece
    heldRange = 0..<piece.count
    if let stream = client.stream { stream.endsWithNextSend = pieces.isAtEnd }
    return true
  }

  /// Waits for the next piece, no longer than a client may be silent: a disk may take for ever.
  /// - Returns: false where there is none, or nobody to send it to.
  func waitForPiece() async -> Bool {
    guard let pieces = heldAnswer?.pieces else { return false }
    // What was sent may go while it waits.
    heldPiece = nil
    let deadline = worker.now.advanced(byNanoseconds: data.settings.sendNanoseconds)
    let handle = WakeHandle(on: worker)
    var isWaiting = pieces.wake(handle)
    if isWaiting { await wait(for: handle, until: deadline) }
    // The client could not take what was not there.
    download.lastClientProgress = worker.now
    if isWaiting { isWaiting = pieces.isBeingRead }
    if isWaiting, !hasLostClient { breakOff() }
    return !isWaiting
  }

  /// The client learns that what it has is not the whole, and so does the log.
  func breakOff() {
    let left = heldRange.count + (heldAnswer?.pieces?.bytesLeft ?? 0)
    record.responseBodyBytes -= min(UInt64(left), record.responseBodyBytes)
    record.outcome = .upstreamFailure
    client.mustReset = true
    isPersistent = false
  }
}
