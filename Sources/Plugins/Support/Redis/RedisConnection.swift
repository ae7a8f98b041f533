import DataPlane
import Runtime
import TLS

/// A worker's connection to a Redis server: made when it is first needed, and again when it is lost.
///
/// Calls are sent as they come, all of one round of the loop together, and answered in their order. What a server
/// says when a connection begins (who it is, which database, the scripts) goes ahead of the first calls without being
/// waited for. Everything is bounded: calls that wait, the bytes of a reply, the time that a server may be silent.
/// On the worker's thread.
final class RedisConnection: Watcher {
  /// Calls that are under way or wait for a connection; what comes above fails at once. Each takes some 500 bytes.
  static let callsMax = 1_024
  /// For a connection to be made, and for the first answers on it.
  static let beginningNanoseconds: Int64 = 2_000_000_000
  /// After this long without the answer to a call, the connection is taken for dead. Requests wait for less: see
  /// ``RedisSettings/timeoutNanoseconds``.
  static let silenceNanoseconds: Int64 = 1_000_000_000
  /// Between attempts; twice as long each time, up to the other, and by chance up to a half less.
  static let firstPauseNanoseconds: Int64 = 100_000_000
  static let longestPauseNanoseconds: Int64 = 5_000_000_000
  private static let receiveBytesMax = 16_384

  private enum Phase {
    /// Nothing is there, and ``deadline`` says when the next attempt is to be made.
    case pausing
    /// The server's name is being resolved.
    case resolving
    case connecting
    /// TLS is being agreed on.
    case shakingHands
    /// What begins a connection was sent, and not all of it was answered.
    case greeting
    case ready
    case ended
  }

  private enum Expected {
    /// An answer to what begins a connection; the text is for messages.
    case greeting(String)
    /// The digest by which a script is called from now on.
    case digest
    case call(RedisCall)
  }

  private let server: RedisServer
  private let passwordFile: FollowedFile<[UInt8]>?
  private let script: RedisScript
  /// Nil: without TLS.
  private var tls: TLSClientContext?
  private let tlsWorker: TLSWorker
  /// Certificates that others may take the place of while this lives.
  private var authorities: FileView<TLSTrust>?
  private var phase = Phase.pausing
  private var socket: Socket?
  private var address = SocketAddress.any
  private var parser = RedisReplyParser()
  private let input = Buffer(capacity: 4_096)
  private let output = Buffer(capacity: 4_096)
  private var isFlushAsked = false
  /// What answers are due for, in their order, with the times at which they were asked for.
  private var expected = FirstInFirstOut<(what: Expected, since: MonotonicTime)>()
  /// Calls that wait for a connection.
  private var waiting = FirstInFirstOut<RedisCall>()
  private var scriptDigest: [UInt8] = []
  private var attempts = 0
  private var pause = RedisConnection.firstPauseNanoseconds
  /// A request has waited in vain, and nothing was answered since.
  private var isLate = false

  /// Why calls are in vain for now, if they are.
  private(set) var failure: PluginFailure?
  /// The server cannot be counted on for now: nobody should wait for it.
  var isGone: Bool { failure != nil }

  init(_ settings: RedisSettings, script: RedisScript, at site: PluginSite) {
    server = settings.server
    passwordFile = settings.passwordFile
    self.script = script
    tlsWorker = site.tls
    super.init(on: site.worker)
    guard server.tls != nil else {
      begin()
      return
    }
    do throws(CertificateError) {
      switch settings.trust {
      case .none: tls = try context(nil)
      case .system(let trust): tls = try context(trust)
      case .file(let file):
        let view = FileView(file)
        authorities = view
        tls = try context(view.content)
      }
    } catch {
      phase = .ended
      failure = PluginFailure("TLS with Redis at \(server.text): \(error.description)")
      return
    }
    begin()
  }

  private func context(_ trust: TLSTrust?) throws(CertificateError) -> TLSClientContext {
    try TLSClientContext(TLSClientOptions(trust: trust), on: tlsWorker)
  }

  /// Goes by what the file of certificates holds now. What cannot be read leaves what it held before in place.
  private func refreshAuthorities() {
    guard let before = authorities?.changeCount else { return }
    _ = authorities?.refresh()
    guard let view = authorities, view.changeCount != before, let new = try? context(view.content) else {
      return
    }
    tls = new
  }

  /// Ends it for good; calls under way fail.
  func end() {
    phase = .ended
    drop(PluginFailure("the connection is not needed any more"))
    cancelDeadline()
  }

  // MARK: Calls

  /// Has the script run. It is answered once, perhaps before this returns.
  func run(_ call: RedisCall) {
    if let failure {
      call.problem = failure
      return call.answer(nil)
    }
    guard waiting.count + expected.count < Self.callsMax else {
      call.problem = PluginFailure("too many calls of Redis at \(server.text) are under way")
      return call.answer(nil)
    }
    if phase == .ready { send(call) } else { waiting.append(call) }
  }

  /// A request has waited for a call in vain. Until something is answered, others need not try.
  func noteLate() {
    if failure != nil || phase == .ended { return }
    isLate = true
    failure = PluginFailure("Redis at \(server.text) does not answer in time")
  }

  private func send(_ call: RedisCall, isWhole: Bool = false) {
    let name = isWhole ? Self.evaluate : Self.evaluateDigest
    let script = isWhole ? self.script.text : scriptDigest
    call.isWhole = isWhole
    send([name, script, Self.one, call.key] + call.arguments, .call(call))
  }

  private static let evaluate = Array("EVAL".utf8)
  private static let evaluateDigest = Array("EVALSHA".utf8)
  private static let one = Array("1".utf8)

  private func send(_ parts: [[UInt8]], _ what: Expected) {
    RedisCommand.append(parts, to: output)
    expected.append((what, worker.now))
    if expected.count == 1 { watchSilence() }
    if isFlushAsked { return }
    isFlushAsked = true
    worker.callBeforePoll(self)
  }

  override func beforePoll() {
    isFlushAsked = false
    flush()
  }

  private func flush() {
    guard let socket, phase == .greeting || phase == .ready else { return }
    while !output.isEmpty {
      let result = socket.send(output)
      if result.isWouldBlock {
        socket.interest = [.readable, .writable, .peerClosed]
        return
      }
      guard result.bytes >= 0 else { return fail("cannot be sent to: \(result.error)") }
      output.consume(result.bytes)
    }
    socket.interest = [.readable, .peerClosed]
  }

  // MARK: A connection's beginning

  private func begin() {
    phase = .resolving
    worker.spawn {
      let found = await NameLookup.addresses(of: self.server.host, port: self.server.port)
      guard self.phase == .resolving else { return }
      switch found {
      case .failure(let failure): self.fail("cannot be resolved: \(failure.message)")
      case .success(let addresses): self.connect(to: addresses[self.attempts % addresses.count])
      }
    }
  }

  private func connect(to address: SocketAddress) {
    attempts += 1
    refreshAuthorities()
    do throws(SystemError) {
      let socket =
        tls == nil
        ? try Socket(connectingTo: address, on: worker) : try TLSSocket(connectingTo: address, on: worker)
      self.socket = socket
      self.address = address
      socket.watcher = self
      socket.interest = [.writable, .peerClosed]
      phase = .connecting
      setDeadline(worker.now.advanced(byNanoseconds: Self.beginningNanoseconds))
    } catch {
      fail("cannot be connected to: \(error)")
    }
  }

  private func connected(_ socket: Socket) {
    if let error = socket.connectError() { return fail("cannot be connected to: \(error)") }
    guard let tls, let secured = socket as? TLSSocket else { return greet(socket) }
    phase = .shakingHands
    secured.startClient(tls, serverName: server.tls?.serverName ?? server.host, endpoint: address)
    shakeHands(secured)
  }

  private func shakeHands(_ socket: TLSSocket) {
    switch socket.handshake() {
    case .done: greet(socket)
    case .wantsRead: socket.interest = [.readable, .peerClosed]
    case .wantsWrite: socket.interest = [.readable, .writable, .peerClosed]
    case .failed(let failure): fail("cannot be spoken to by TLS: \(failure.description)")
    }
  }

  private func greet(_ socket: Socket) {
    phase = .greeting
    socket.interest = [.readable, .peerClosed]
    let password = passwordFile?.reading.content ?? server.password.map { Array($0.utf8) }
    if let password {
      let user = server.username.map { [Array($0.utf8)] } ?? []
      send([Array("AUTH".utf8)] + user + [password], .greeting("AUTH"))
    }
    if server.database != 0 {
      send([Array("SELECT".utf8), Array("\(server.database)".utf8)], .greeting("SELECT"))
    }
    send([Array("SCRIPT".utf8), Array("LOAD".utf8), script.text], .digest)
    setDeadline(worker.now.advanced(byNanoseconds: Self.beginningNanoseconds))
  }

  private func becameReady(_ digest: [UInt8]) {
    scriptDigest = digest
    phase = .ready
    failure = nil
    isLate = false
    pause = Self.firstPauseNanoseconds
    while let call = waiting.popFirst() { send(call) }
    watchSilence()
  }

  // MARK: Events

  override func socketIsReady(_ transport: Transport) {
    guard let socket, transport === socket else { return }
    if phase == .connecting {
      guard socket.readiness.contains(.writable) || socket.readiness.contains(.peerClosed) else { return }
      connected(socket)
      return
    }
    if phase == .shakingHands, let secured = socket as? TLSSocket { return shakeHands(secured) }
    if socket.readiness.contains(.writable), !output.isEmpty { flush() }
    if !socket.readiness.isDisjoint(with: [.readable, .peerClosed]) { receive(socket) }
  }

  override func deadlinePassed() {
    switch phase {
    case .pausing: begin()
    case .connecting, .shakingHands: fail("cannot be connected to within two seconds")
    case .greeting: fail("does not answer")
    case .ready:
      guard let oldest = expected.first,
        oldest.since.advanced(byNanoseconds: Self.silenceNanoseconds) <= worker.now
      else { return watchSilence() }
      fail("does not answer")
    case .resolving, .ended: break
    }
  }

  private func watchSilence() {
    guard phase == .ready else { return }
    setDeadline(expected.first?.since.advanced(byNanoseconds: Self.silenceNanoseconds) ?? .never)
  }

  private func receive(_ socket: Socket) {
    // What is asked for bounds how much can come: an answer that nothing was asked for ends the connection.
    while self.socket === socket {
      let result = socket.receive(into: input, atMost: Self.receiveBytesMax)
      if result.isWouldBlock { return }
      guard result.bytes > 0 else {
        return fail(result.bytes == 0 ? "has closed the connection" : "failed: \(result.error)")
      }
      takeReplies(socket)
      if !socket.readiness.contains(.readable) { return }
    }
  }

  private func takeReplies(_ socket: Socket) {
    let input = input
    var position = 0
    while self.socket === socket {
      do throws(RedisProtocolError) {
        switch try parser.next(input.bytes, from: position) {
        case .needMore(let consumed): return input.consume(consumed)
        case .reply(let reply, let end):
          position = end
          take(reply)
        }
      } catch {
        return fail("is not understood: \(error.text)")
      }
    }
  }

  private func take(_ reply: RedisReply) {
    guard let (what, _) = expected.popFirst() else { return fail("answers what was not asked") }
    if isLate {
      isLate = false
      failure = nil
    }
    switch (what, reply) {
    case (.greeting(let name), .error(let text)): return fail("refuses \(name): \(Self.printable(text))")
    case (.greeting, _): return
    case (.digest, .bulk(let digest)): return becameReady(digest)
    case (.digest, .error(let text)): return fail("refuses the script: \(Self.printable(text))")
    case (.digest, _): return fail("answers SCRIPT LOAD with something else")
    // Somebody has removed the scripts: sent whole, it is known again.
    case (.call(let call), .error(let text)) where !call.isWhole && text.starts(with: Self.noScript):
      send(call, isWhole: true)
    case (.call(let call), .error(let text)):
      call.problem = PluginFailure("Redis at \(server.text) answers: \(Self.printable(text))")
      call.answer(nil)
      // It has become another server's replica: the name may lead to the new one.
      if text.starts(with: Self.readOnly) { return fail("is a replica and cannot be written to") }
    case (.call(let call), let reply): call.answer(reply)
    }
    watchSilence()
  }

  private static let noScript = Array("NOSCRIPT".utf8)
  private static let readOnly = Array("READONLY".utf8)

  /// What a server says, as a log may show it.
  private static func printable(_ text: [UInt8]) -> String {
    String(decoding: text.prefix(200).map { $0 >= 0x20 && $0 < 0x7F ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }

  // MARK: A connection's end

  private func fail(_ reason: String) {
    drop(PluginFailure("Redis at \(server.text) \(reason)"))
    phase = .pausing
    // By chance, so that all workers of all gateways do not come at once.
    let half = pause / 2
    let chance = Int64(worker.random.next(below: Int(half)))
    setDeadline(worker.now.advanced(byNanoseconds: half + chance))
    pause = min(pause * 2, Self.longestPauseNanoseconds)
  }

  private func drop(_ failure: PluginFailure) {
    self.failure = failure
    isLate = false
    socket?.close()
    socket = nil
    parser = RedisReplyParser()
    input.removeAll()
    output.removeAll()
    // Those that are answered may ask again: they find that the server is gone.
    if phase != .ended { phase = .pausing }
    var calls: [RedisCall] = []
    while let (what, _) = expected.popFirst() { if case .call(let call) = what { calls.append(call) } }
    while let call = waiting.popFirst() { calls.append(call) }
    for call in calls {
      call.problem = failure
      call.answer(nil)
    }
  }
}

/// A call of the script, with one key.
final class RedisCall {
  let key: [UInt8]
  let arguments: [[UInt8]]
  /// The script's text was sent, and not its digest.
  fileprivate(set) var isWhole = false
  /// Why there is no reply.
  fileprivate(set) var problem: PluginFailure?
  private var completion: ((RedisReply?, RedisCall) -> Void)?

  /// - completion: Called once; nil: there is no answer, or it is an error.
  init(key: [UInt8], arguments: [[UInt8]], completion: @escaping (RedisReply?, RedisCall) -> Void) {
    self.key = key
    self.arguments = arguments
    self.completion = completion
  }

  fileprivate func answer(_ reply: RedisReply?) {
    let completion = completion
    self.completion = nil
    completion?(reply, self)
  }
}

/// A connection as those have it who use it: the last to let go of it ends it.
final class RedisClient {
  let connection: RedisConnection

  init(_ settings: RedisSettings, script: RedisScript, at site: PluginSite) {
    connection = RedisConnection(settings, script: script, at: site)
  }

  deinit { connection.end() }

  /// The worker's one for a server and a script.
  static func of(_ site: PluginSite, _ settings: RedisSettings, script: RedisScript) -> RedisClient {
    site.workerObject(for: Key(server: settings.server, script: script.text)) {
      RedisClient(settings, script: script, at: site)
    }
  }

  private struct Key: Hashable {
    let server: RedisServer
    let script: [UInt8]
  }
}
