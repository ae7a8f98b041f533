import HTTPCodec
import Resources
import Runtime

/// One request and its response in flight, from the request's first byte to the response's last.
///
/// Made once and reused, so that an exchange allocates nothing: a worker has as many as it has
/// connections with tasks. The steps are in extensions of their own, in the order in which they
/// happen: ``readHead()``, routing, ``perform()``, upload, download, end.
final class Exchange {
  let data: DataPlaneWorker
  let worker: Worker
  /// The connection that it serves now; set while it is in use.
  private(set) var client: ClientConnection!

  // The request.
  /// The request's head, then what content of it is staged; then what the client sent ahead.
  /// Absent between requests, so that a waiting connection holds no buffer.
  var input: Buffer!
  var requestParser: RequestParser
  var request = RequestHead()
  /// The canonical path, where it is not the one that was sent.
  var normalisedPath: [UInt8] = []
  var hasNormalisedPath = false
  var route: CompiledRoute?
  var service: UpstreamService?
  /// 32 hexadecimal digits, unless a trusted sender named the request.
  var requestID = InlineArray<32, UInt8>(repeating: 0)
  var incomingRequestID = ByteRange.empty
  /// What consistent hashing and sticky cookies go by; nil where the request has none.
  var balancingKey: UInt64?

  // The way up.
  var upload = Upload()
  var toUpstream: Buffer!
  var upstream: UpstreamConnection?
  /// Endpoints that failed this request, by bit.
  var triedEndpoints: UInt64 = 0
  var endpointIndex = 0
  /// The endpoint of the last attempt.
  var servedBy: Endpoint?

  // The way down.
  var download = Download()
  var response: Buffer!
  var toClient: Buffer!
  var responseParser: ResponseParser
  var responseHead = ResponseHead()

  // The pump.
  var clientWants: Readiness = []
  var upstreamWants: Readiness = []
  var end: PumpEnd?
  var attemptStart = MonotonicTime(nanoseconds: 0)
  var trailerFields: [Field] = []

  var record = ExchangeRecord()
  var isPersistent = false
  /// Requests served since the task last let others run.
  private var servedWithoutYield = 0

  init(data: DataPlaneWorker) {
    self.data = data
    worker = data.worker
    requestParser = RequestParser(limits: data.settings.headLimits)
    responseParser = ResponseParser(limits: data.settings.headLimits)
    normalisedPath.reserveCapacity(256)
  }

  // MARK: Life

  func begin(on client: ClientConnection) {
    self.client = client
    if let early = client.earlyBytes {
      client.earlyBytes = nil
      input = early
    }
    requestParser = RequestParser(limits: data.settings.headLimits)
    responseParser = ResponseParser(limits: data.settings.headLimits)
  }

  /// Lets go of everything that belongs to the connection.
  func detach() {
    if let buffer = input { worker.buffers.give(buffer) }
    input = nil
    releaseStages()
    client = nil
  }

  enum HeadResult {
    case request
    /// No request came for a while.
    case idle
    case closed
    case timedOut
    case refused(HTTP1Error)
  }

  // MARK: The head

  /// Reads until a whole request head is in `input` and parsed.
  func readHead() async -> HeadResult {
    requestParser.reset()
    record = ExchangeRecord()
    record.client = client.peer
    var deadline = MonotonicTime.never
    servedWithoutYield += 1
    if servedWithoutYield == 64 {
      // A client that pipelines without end must not keep the worker to itself.
      servedWithoutYield = 0
      await Task.yield()
    }
    while true {
      if client.isAborted { return .closed }
      if let input, !input.isEmpty {
        if deadline == .never {
          record.start = worker.now
          deadline = worker.now.advanced(byNanoseconds: data.settings.headNanoseconds)
        }
        do {
          if try requestParser.parse(input.bytes, into: &request) { return .request }
        } catch {
          return .refused(error)
        }
      }
      switch await receiveHead(until: deadline) {
      case nil: continue
      case .some(let result): return result
      }
    }
  }

  /// Receives more of a head, after waiting for it.
  /// - Returns: `nil` when something came.
  private func receiveHead(until deadline: MonotonicTime) async -> HeadResult? {
    let socket = client.socket
    if socket.readiness.isDisjoint(with: .readable) {
      if let result = await waitForHead(until: deadline) { return result }
    }
    if input == nil { input = worker.buffers.take() }
    let result = socket.receive(into: input)
    if result.bytes > 0 { return nil }
    if result.isWouldBlock {
      dropEmptyInput()
      return nil
    }
    return .closed
  }

  private func waitForHead(until deadline: MonotonicTime) async -> HeadResult? {
    let isBetweenRequests = deadline == .never
    if isBetweenRequests {
      if data.isDraining { return .closed }
      dropEmptyInput()
      guard data.lingeringCount < ClientConnection.lingeringMax else { return .idle }
    }
    let limit = isBetweenRequests
      ? worker.now.advanced(
        byNanoseconds: min(ClientConnection.lingerNanoseconds, data.settings.idleNanoseconds))
      : deadline
    if isBetweenRequests { data.lingeringCount += 1 }
    let wake = await client.wait(for: client.socket, [.readable, .peerClosed], until: limit)
    if isBetweenRequests { data.lingeringCount -= 1 }
    servedWithoutYield = 0
    switch wake {
    case .ready, .interrupted: return nil
    case .deadline: return isBetweenRequests ? .idle : .timedOut
    }
  }

  private func dropEmptyInput() {
    guard let buffer = input, buffer.isEmpty else { return }
    worker.buffers.give(buffer)
    input = nil
  }

  // MARK: The end

  /// Closes the client's side without cutting off what was sent: a socket that is closed while the
  /// client still sends answers with a reset, which may destroy a response on its way (RFC 9112 §9.6).
  func closeClient() async {
    guard upload.leavesUnreadContent || record.outcome == .badRequest else { return }
    let socket = client.socket
    guard !client.isAborted, record.outcome != .clientClosed else { return }
    socket.shutdownSending()
    let deadline = worker.now.advanced(byNanoseconds: 2_000_000_000)
    // Bounded in time and bytes: whoever goes on sending is cut off.
    var rest = 1 << 20
    if input == nil { input = worker.buffers.take() }
    while rest > 0 && !client.isAborted {
      input.removeAll()
      let result = socket.receive(into: input)
      if result.isWouldBlock {
        guard await client.wait(for: socket, [.readable, .peerClosed], until: deadline) == .ready else { return }
        continue
      }
      guard result.bytes > 0 else { return }
      rest -= result.bytes
    }
  }

  /// Gives back the buffers that only an exchange in flight needs.
  func releaseStages() {
    if let buffer = toUpstream { worker.buffers.give(buffer) }
    if let buffer = response { worker.buffers.give(buffer) }
    if let buffer = toClient { worker.buffers.give(buffer) }
    toUpstream = nil
    response = nil
    toClient = nil
  }
}
