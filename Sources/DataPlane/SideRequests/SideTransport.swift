import Runtime

/// The client's end of a side request: takes what the endpoint sends, in memory, and has nothing to send itself,
/// as all of the request is there before it begins.
final class SideTransport: Transport {
  private(set) var content: [UInt8] = []
  /// The endpoint sends more than may be taken.
  private(set) var isOverfull = false
  private var room: Int
  private let keepsContent: Bool
  private let mayKeep: ((Int) -> Bool)?
  private let data: DataPlaneWorker

  /// - bytesMax: Of the response's content.
  /// - mayKeep: See ``SideRequest/mayKeep``.
  init(of data: DataPlaneWorker, bytesMax: Int, keepsContent: Bool, mayKeep: ((Int) -> Bool)?) {
    self.data = data
    room = bytesMax
    self.keepsContent = keepsContent
    self.mayKeep = mayKeep
    super.init(on: data.worker, readiness: .writable)
  }

  override func receive(into buffer: Buffer, atMost limit: Int) -> IOResult { IOResult(code: 0) }

  override func send(_ buffer: Buffer) -> IOResult { send(buffer, range: 0..<buffer.count) }

  override func send(_ buffer: Buffer, range: Range<Int>) -> IOResult {
    var count = min(range.count, room)
    if keepsContent, count > 0, let mayKeep, !mayKeep(content.count + count) { count = 0 }
    room -= count
    if keepsContent, count > 0 {
      content.append(contentsOf: buffer.copy(range.lowerBound..<range.lowerBound + count))
      data.buffers.hold(count)
      data.lookAtBuffers()
    }
    guard count == range.count else {
      // Ends the exchange with the endpoint, as a client does that has gone.
      isOverfull = true
      return .failed(.connectionReset)
    }
    return IOResult(code: count)
  }

  override func send(_ first: Buffer, _ second: Buffer, range: Range<Int>) -> IOResult {
    let result = send(first)
    guard !result.isError else { return result }
    let rest = send(second, range: range)
    return rest.isError ? rest : IOResult(code: result.bytes + rest.bytes)
  }

  override func close(reset: Bool) {
    if isOpen { data.buffers.release(content.count) }
    isOpen = false
    watcher = nil
    interest = []
  }
}
