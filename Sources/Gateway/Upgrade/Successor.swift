import DataPlane
import Runtime
import Synchronization

/// The new process, as the old one sees it.
final class Successor: Sendable {
  /// Sockets in one message.
  private static let batch = 100
  /// How long the new process may leave a message unread.
  private static let sendMilliseconds: Int32 = 30_000
  /// How long it may go on after it has closed its end.
  private static let endMilliseconds = 5_000

  let process: ChildProcess
  /// What it says, and its end, which is the last.
  let events: AsyncStream<UpgradeProgress.Event>
  private let input: AsyncStream<UpgradeProgress.Event>.Continuation
  private let channel: DescriptorChannel
  private let hold = Mutex(Hold.held)

  private enum Hold {
    case held
    /// It goes its own way.
    case released
    /// Its end has been taken note of: the number may be another process's.
    case ended
  }

  /// Starts the program again, with its arguments and its environment, and hands it the sockets.
  ///
  /// - Parameter sockets: closed when they have been handed over, or cannot be.
  init(sockets: [HandoverSocket], hasAdmin: Bool) throws(SystemError) {
    (events, input) = AsyncStream.makeStream(of: UpgradeProgress.Event.self)
    do throws(SystemError) {
      let (own, other) = try DescriptorChannel.pair()
      channel = own
      process = try ChildProcess(
        path: CommandLine.arguments[0], arguments: CommandLine.arguments,
        environment: Predecessor.environment(forSuccessorOf: ChildProcess.ownEnvironment()),
        channel: other)
    } catch {
      HandoverSocket.close(sockets)
      throw error
    }
    BackgroundThread.start(name: "upgrade") { self.converse(sockets, hasAdmin: hasAdmin) }
  }

  /// Adds to what is told in ``events``.
  func report(_ event: UpgradeProgress.Event) { input.yield(event) }

  func send(_ message: UpgradeMessage) {
    // Where it is gone, its end is reported.
    try? channel.send(.init(bytes: message.bytes), milliseconds: Self.sendMilliseconds)
  }

  /// Ends it, and returns when it has ended.
  func end() async {
    kill()
    channel.shutDown()
    for await _ in events {}
  }

  /// It has what it needs, and goes its own way.
  func release() {
    hold.withLock { $0 = .released }
    channel.shutDown()
  }

  private func kill() {
    hold.withLock { if $0 == .held { process.kill() } }
  }

  // MARK: On the thread

  private func converse(_ sockets: [HandoverSocket], hasAdmin: Bool) {
    defer { input.finish() }
    do throws(SystemError) {
      try handOver(sockets, hasAdmin: hasAdmin)
      while let message = try channel.receive(milliseconds: -1) {
        HandoverSocket.close(message.handles)
        input.yield(UpgradeMessage(message.bytes).map { .received($0) } ?? .garbled)
      }
    } catch {
      // It does not read, or it is gone: the same in the end.
    }
    if !isReleased { input.yield(.ended(waitForEnd())) }
  }

  private func handOver(_ sockets: [HandoverSocket], hasAdmin: Bool) throws(SystemError) {
    defer { HandoverSocket.close(sockets) }
    let hello = UpgradeMessage.hello(
      version: UpgradeMessage.version, socketCount: sockets.count, hasAdmin: hasAdmin)
    try channel.send(.init(bytes: hello.bytes), milliseconds: Self.sendMilliseconds)
    for start in stride(from: 0, to: sockets.count, by: Self.batch) {
      let batch = sockets[start..<min(start + Self.batch, sockets.count)]
      let places = batch.map { UpgradeMessage.Place(address: $0.address, worker: $0.worker) }
      try channel.send(
        .init(bytes: UpgradeMessage.sockets(places).bytes, handles: batch.map(\.handle)),
        milliseconds: Self.sendMilliseconds)
    }
  }

  /// A process that has closed its end is about to end, or broken.
  private func waitForEnd() -> ChildProcess.End? {
    let pause = ThreadSignal()
    for _ in 0..<Self.endMilliseconds / 10 {
      if let end = noteEnd() { return end }
      pause.wait(milliseconds: 10)
    }
    kill()
    return process.waitForEnd()
  }

  private func noteEnd() -> ChildProcess.End? {
    hold.withLock { hold in
      guard hold == .held, let end = process.endIfEnded() else { return nil }
      hold = .ended
      return end
    }
  }

  private var isReleased: Bool { hold.withLock { $0 == .released } }
}

extension HandoverSocket {
  static func close(_ sockets: [HandoverSocket]) { close(sockets.map(\.handle)) }

  static func close(_ handles: [Int32]) {
    for handle in handles { DescriptorChannel.close(handle) }
  }
}
