import HTTPCodec
import Resources
import Runtime

/// One request and its response in flight, from the request's first byte to the response's last.
///
/// Made once and reused, with its buffers, so that an exchange allocates nothing: a worker has as
/// many as it has requests in flight; a connection between two requests has none. The steps are in
/// extensions of their own, in the order in which they happen: head, route, attempts, upload,
/// download, end.
///
/// The buffers are constants: what a function borrows from a constant is not counted, and counting
/// references is what an exchange would spend most of its own time on (docs/decisions/0005).
///
/// What plugins may ask and do is public, and in `Pipeline`.
public final class Exchange {
  let data: DataPlaneWorker
  public let worker: Worker
  /// Whom it serves now; set while it is in use.
  private(set) var client: ClientSide!

  /// How far it is, so that a task can take over where the fast path stops.
  enum Stage {
    /// The head is still to be read.
    case head
    /// The head was read, and is refused or prepared for an endpoint.
    case prepared
    /// It counts among the service's requests in flight.
    case started
    /// An endpoint is chosen for the attempt.
    case chosen
    /// The request is on its way on ``upstream``.
    case sent
    /// The gateway's own answer is on its way.
    case answering
    /// The exchange is over, and with it the connection, but the client may still be sending.
    case closing
  }

  var stage = Stage.head
  /// When the first bytes of a head came that was waited for.
  var headBegan: MonotonicTime?
  /// `toUpstream` begins with the request's head, as HTTP/1 writes it.
  var hasRequestHead = false
  /// A call of gRPC: it is answered with gRPC statuses.
  var isGRPC = false
  /// When the client gives up, as `grpc-timeout` says.
  var callDeadline = MonotonicTime.never
  /// What the connection becomes when the endpoint agrees.
  var upgrade = Upgrade.none
  /// The key that the gateway made for a client without one.
  var upgradeKey: [UInt8] = []
  /// What the request is answered with, when it goes to no endpoint.
  var refusal: Answer?

  // The request.
  /// The request's head, then what content of it is staged; then what the client sent ahead.
  public let input: Buffer
  var requestParser: RequestParser
  public internal(set) var request = RequestHead()
  /// The canonical path, where it is not the one that was sent.
  var normalisedPath: [UInt8] = []
  var hasNormalisedPath = false
  /// What routes are looked up by.
  var hostHash: UInt64 = 0
  var route: CompiledRoute?
  var service: UpstreamService?
  /// What the request is called in `X-Request-ID` and in the log; empty where it is not.
  let requestID = Buffer(capacity: 64)
  /// The peer may say who the client is.
  var isPeerTrusted = false
  /// What consistent hashing and sticky cookies go by; nil where the request has none.
  var balancingKey: UInt64?

  // The way through plugins.
  /// Nil where the request meets none.
  var chain: PluginChain? {
    didSet { pluginPhases = chain?.phases ?? [] }
  }
  /// All that any of them takes part in.
  private(set) var pluginPhases: Plugin.Phases = []
  /// Of the next that the request's head meets.
  var pluginPosition = 0
  /// One of them has to wait for something.
  var waitsForPlugin = false
  /// Whose own plugins the chain has, and what it is without them.
  var chainConsumer: WorkerConsumer?
  var chainForAll: PluginChain?
  /// Where the present chain took over: what stands before was met in another one.
  var chainStart = 0
  /// Those of chains before that want to know when it is over.
  var passedPlugins: [Plugin] = []
  var keptForPlugins: [KeptForPlugin] = []
  /// Who calls, as far as a plugin has found out.
  public internal(set) var consumer: WorkerConsumer?
  let requestEdits = FieldEdits()
  let responseEdits = FieldEdits()
  /// What is sent in place of path and query, and of the host; empty: what came.
  let rewrittenTarget = Buffer(capacity: rewrittenTargetBytes)
  var rewrittenHost: [UInt8] = []
  /// Names of cookies that do not go on.
  var droppedCookies: [[UInt8]] = []
  /// Those that see the request's content.
  var contentTaps: [ContentTap] = []
  /// That head is an endpoint's, and not of an answer of the gateway's own.
  var isEndpointsResponse = false
  var hasEditedResponse = false
  /// Plugins want to see the content of the response.
  var followsContent = false
  /// What a plugin answers in place of the endpoint whose head has come.
  var replacement: PluginAnswer?
  /// An answer has been replaced already.
  var hasReplacement = false

  // The way up.
  var upload = Upload()
  /// Content that is held back for a plugin, as far as it did not come with the head.
  var gatheredBytes = 0
  /// What a client is answered whose content could not be gathered.
  var contentRefusal: Answer?
  /// What its content may have: what is set for all, or less.
  var bodyBytesMax = UInt64.max
  var uploadPace = Pace()
  let toUpstream: Buffer
  var upstream: UpstreamConnection?
  /// Endpoints that failed this request, by bit.
  var triedEndpoints: UInt64 = 0
  var endpointIndex = 0
  /// Of the list that the index and the bits refer to.
  var endpointsRevision: UInt32 = 0
  /// The endpoint of the last attempt.
  var servedBy: Endpoint?

  // The way down.
  var download = Download()
  var downloadPace = Pace()
  /// What its content may have.
  var responseBytesMax = UInt64.max
  /// What plugins have changed before they saw the head, where another may take its place.
  var earlierResponseEdits: FieldEdits.Copy?
  let response: Buffer
  let toClient: Buffer
  var responseParser: ResponseParser
  var responseHead = ResponseHead()

  /// The response, while plugins wait for all of its content.
  var held: HeldResponse?
  /// Of content that is to be held; 0: none is.
  var holdBytesMax = 0
  var holdCutsOff = false

  // The pump.
  var clientWants: Readiness = []
  var upstreamWants: Readiness = []
  var uploadTurnsLeft = 0
  var downloadTurnsLeft = 0
  /// A direction goes on no sooner, since its rate is limited.
  var pausedUntil = MonotonicTime.never
  var end: PumpEnd?
  var attemptStart = MonotonicTime(nanoseconds: 0)
  /// Trailer lines of chunked content that go to a stream; a buffer is held only while there are some.
  var trailers: Buffer?
  var trailerFields: [Field] = []

  // The gateway's own answer.
  /// Whose content is sent from where it is, and what of it is still to be sent.
  var heldAnswer: PluginAnswer?
  var heldRange = 0..<0
  /// In its place, where it comes in pieces: the one that is being sent.
  var heldPiece: FrozenBytes?

  var record = ExchangeRecord()
  var isPersistent = false

  /// The settings that were in force when the request was routed. It is forwarded by them, also where it had
  /// to wait and others are in force by then: it sees all of a change or nothing of it.
  private(set) var http: ConnectionSettings

  init(data: DataPlaneWorker) {
    self.data = data
    worker = data.worker
    http = data.settings
    requestParser = RequestParser(limits: data.settings.headLimits)
    responseParser = ResponseParser(limits: data.settings.headLimits)
    input = worker.buffers.take()
    toUpstream = worker.buffers.take()
    response = worker.buffers.take()
    toClient = worker.buffers.take()
    normalisedPath.reserveCapacity(256)
  }

  /// Of a target that a plugin has changed; what is longer takes more for as long as it is needed.
  static let rewrittenTargetBytes = 256

  /// Those that it takes from the pool.
  static let bufferCount = 4

  /// Gives its buffers back. The exchange must not be used any more.
  func dissolve() {
    for buffer in [input, toUpstream, response, toClient] { worker.buffers.give(buffer) }
  }

  // MARK: Life

  /// A request is about to be routed.
  func takeSettings() {
    // Nearly always the same: then nothing is counted.
    if http !== data.settings { http = data.settings }
  }

  /// Goes by settings of its own.
  func takeSettings(_ settings: ConnectionSettings) { http = settings }

  func begin(on client: ClientSide) {
    self.client = client
    headBegan = nil
    if requestParser.limits != data.settings.headLimits {
      requestParser = RequestParser(limits: data.settings.headLimits)
      responseParser = ResponseParser(limits: data.settings.headLimits)
    }
  }

  /// Lets go of the connection.
  func detach() {
    // A burst of one connection must not grow the buffers of all that come after it.
    input.reset(to: BufferPool.bufferBytes)
    toUpstream.reset(to: BufferPool.bufferBytes)
    assert(download.staged.isEmpty, "a response was not let go of")
    response.reset(to: BufferPool.bufferBytes)
    toClient.reset(to: BufferPool.bufferBytes)
    dropTrailers()
    dropHeld()
    stage = .head
    client = nil
  }

  /// What becomes of the client's connection.
  enum Ending {
    /// It may carry another request.
    case keep
    case close
    /// The rest of the head is still to come, and the exchange is not needed until then.
    case headIsPartial(PartialHead)
    /// It goes on as HTTP/2; what was received of it is in `input`.
    case http2
    /// It goes on as a tunnel to this connection.
    case tunnel(UpstreamConnection)
  }

  /// Serves the requests that the client has sent, until it has sent none ahead.
  ///
  /// - Parameter head: what came of its head before.
  func serve(_ head: PartialHead? = nil) async -> Ending {
    var servedCount = 0
    var head = head
    if stage == .closing {
      await closeClient()
      return .close
    }
    while true {
      let result = stage == .head ? readHead(on: client.transport, head) : .request
      head = nil
      switch result {
      case .request:
        let ending = await perform()
        guard case .keep = ending else {
          if case .close = ending { await closeClient() }
          return ending
        }
        if input.isEmpty { return .keep }
        headBegan = nil
        servedCount += 1
        // A client that pipelines without end must not keep the worker to itself.
        if servedCount % 64 == 0 { await Task.yield() }
      case .nothing: return .keep
      case .partial(let head): return .headIsPartial(head)
      case .http2: return .http2
      case .closed: return .close
      case .timedOut:
        await refuseSlowHead()
        return .close
      case .refused(let error):
        await refuse(error)
        return .close
      }
    }
  }

  /// Serves the request of a stream, whose head was decoded.
  func serveStream() async -> Ending { await perform() }

  // MARK: The fast path

  /// How far an exchange got without waiting.
  enum Progress {
    /// It waits for the endpoint and for nothing else.
    case awaitsResponse
    case done(keep: Bool)
    /// The rest of the head is still to come, and the exchange is not needed until then.
    case headIsPartial
    /// Something has to be waited for, or answered: a task takes over.
    case needsTask
  }

  /// Does what the usual request needs, a whole head with its content and an idle connection to an
  /// endpoint, without a task: a suspension costs as much as all of this (docs/decisions/0008).
  ///
  /// - Parameter head: what came of its head before.
  func startWithoutWaiting(on client: ClientConnection, _ head: PartialHead? = nil) -> Progress {
    beginRecord()
    requestParser.reset()
    if let head { resume(head) }
    let result = client.transport.receive(into: input)
    guard result.bytes > 0 else {
      if head != nil, result.isWouldBlock { return .headIsPartial }
      return .done(keep: result.isWouldBlock)
    }
    // What is not a whole and valid head is read again, and answered, by the task.
    dropEmptyLines(of: input)
    if input.isEmpty { return .done(keep: true) }
    guard let isWhole = try? parseHead(in: input) else { return .needsTask }
    guard isWhole else {
      // More may have come already than fits a read.
      if client.transport.readiness.contains(.readable) { return .needsTask }
      return .headIsPartial
    }
    refusal = prepare()
    return sendWithoutWaiting()
  }

  /// The same for a request that came on a stream of HTTP/2: its head was decoded into `input`.
  /// - Parameter error: what the head is refused for.
  func startStream(_ error: HTTP1Error?) -> Progress {
    beginRecord()
    record.receivedBytes = UInt64(input.count)
    if let error {
      request.method = .other
      isGRPC = false
      upgrade = .none
      callDeadline = .never
      requestID.removeAll()
      upload = Upload()
      upload.isRead = false
      refusal = .badRequest(error)
    } else {
      refusal = prepare()
    }
    return sendWithoutWaiting()
  }

  func beginRecord() {
    if worker.now >= data.nextLook { data.admission.look() }
    record = ExchangeRecord()
    record.client = client.peer
    record.start = worker.now
  }

  /// Sends what was prepared, if nothing has to be waited for.
  private func sendWithoutWaiting() -> Progress {
    stage = .prepared
    if case .plugin? = refusal { return answerWithoutWaiting() }
    guard refusal == nil, upgrade == .none, !waitsForPlugin, let service, service.mayStartRequest else {
      return .needsTask
    }
    service.requestStarted()
    stage = .started
    guard let endpoint = chooseEndpoint(of: service), let connection = takeIdle(endpoint, service) else {
      return .needsTask
    }
    data.counters.figures.poolReused &+= 1
    use(connection)
    beginRound()
    advanceUpload(connection)
    guard end == nil, upload.isDone, !upload.hasFailed,
      !client.transport.readiness.contains(.peerClosed)
    else { return .needsTask }
    if connection.transport.readiness.contains(.readable) { return .needsTask }
    upstreamWants = .readable
    return .awaitsResponse
  }

  /// Passes on what has come of the response.
  func continueWithoutWaiting(on client: ClientSide) -> Progress {
    guard let connection = upstream, let service, let endpoint = servedBy else { return .needsTask }
    beginRound()
    advanceDownload(connection)
    switch end {
    case nil:
      let waitsForMore =
        downloadTurnsLeft > 0 && clientWants.isEmpty && pausedUntil == .never
        && !client.transport.readiness.contains(.peerClosed)
      return waitsForMore ? .awaitsResponse : .needsTask
    case .complete:
      guard case .answered(let keep) = settle(.complete, connection, service) else { return .needsTask }
      endpoint.inFlight -= 1
      service.requestEnded()
      return finishWithoutWaiting(keep: keep && isPersistent)
    default: return .needsTask
    }
  }

  private func finishWithoutWaiting(keep: Bool) -> Progress {
    finish()
    if keep || client.stream != nil || !leavesUnreadBytes { return .done(keep: keep) }
    stage = .closing
    return .needsTask
  }

  /// Sends what a plugin answers, as far as the client takes it at once.
  private func answerWithoutWaiting() -> Progress {
    guard let answer = refusal, beginAnswer(answer), sendAnswerAtOnce() == .sent else { return .needsTask }
    return finishWithoutWaiting(keep: isPersistent && client.stream == nil)
  }

  // MARK: The end

  /// Closes the client's side without cutting off what was sent: a socket that is closed while the
  /// client still sends answers with a reset, which may destroy a response on its way (RFC 9112 §9.6).
  func closeClient() async {
    let socket = client.transport
    guard leavesUnreadBytes else { return }
    guard !client.isAborted, !client.mustReset, record.outcome != .clientClosed else { return }
    socket.shutdownSending()
    let deadline = worker.now.advanced(byNanoseconds: Self.lingerNanoseconds)
    var receives = 0
    while !client.isAborted && worker.now < deadline {
      input.removeAll()
      let result = socket.receive(into: input)
      if result.isWouldBlock {
        // What is woken by a drain goes on: the response may still be on its way.
        let wake = await client.wait(for: socket, [.readable, .peerClosed], until: deadline)
        if wake == .deadline { return }
        continue
      }
      guard result.bytes > 0 else { return }
      receives += 1
      if receives % Self.receivesPerRound == 0 { await Task.yield() }
    }
  }

  /// The client has sent, or is sending, what nobody will read.
  var leavesUnreadBytes: Bool {
    upload.leavesUnreadContent || record.outcome == .badRequest || !input.isEmpty
      || client.transport.readiness.contains(.readable)
  }

  /// How long a client may still send after its last response; whoever goes on is cut off. nginx's
  /// `lingering_timeout` is 5 s.
  static let lingerNanoseconds: Int64 = 2_000_000_000
}
