import DataPlane
import Runtime
import Synchronization

/// The old process, as the new one sees it.
///
/// Where the old one is gone, which it is not supposed to be, it stands in nobody's way: the new one goes on.
final class Predecessor: Sendable {
  /// Names the descriptor of the connection to the old process.
  static let variable = "PENSTOCK_UPGRADE_FD"
  /// It only has to close an address, or to drop a file.
  private static let answerMilliseconds: Int32 = 20_000

  /// All its listening sockets.
  let sockets: [HandoverSocket]
  /// It has an admin address.
  let hasAdmin: Bool
  private let channel: DescriptorChannel

  /// Receives what the old process hands over. Blocks.
  ///
  /// - Returns: nil where this process was not started by another.
  static func find(
    in environment: [String] = ChildProcess.ownEnvironment()
  ) throws(UpgradeError) -> Predecessor? {
    let prefix = variable + "="
    guard let entry = environment.first(where: { $0.hasPrefix(prefix) }) else { return nil }
    guard let handle = Int32(entry.dropFirst(prefix.count)), handle > 2 else {
      throw UpgradeError("\(entry) names no descriptor; the variable is for upgrades only")
    }
    let channel: DescriptorChannel
    do throws(SystemError) {
      channel = try DescriptorChannel(inherited: handle)
    } catch {
      throw UpgradeError("\(entry) is no connection to another Penstock: \(error)")
    }
    return try Predecessor(channel)
  }

  init(_ channel: DescriptorChannel) throws(UpgradeError) {
    self.channel = channel
    guard case .hello(let version, let count, let hasAdmin)? = try Self.next(on: channel)?.message
    else {
      throw UpgradeError("the process before this one does not say hello")
    }
    guard version == UpgradeMessage.version else {
      throw UpgradeError(
        "the process before this one speaks version \(version) of the upgrade's protocol")
    }
    self.hasAdmin = hasAdmin
    var sockets: [HandoverSocket] = []
    do throws(UpgradeError) {
      while sockets.count < count { sockets += try Self.nextSockets(on: channel) }
    } catch {
      HandoverSocket.close(sockets)
      throw error
    }
    self.sockets = sockets
  }

  /// What a process is started with that inherits from one with this environment.
  static func environment(forSuccessorOf own: [String]) -> [String] {
    // The service manager's watchdog is the successor's affair from then on, whatever its number.
    own.filter { !$0.hasPrefix(variable + "=") && !$0.hasPrefix(ServiceManager.watchdogVariable + "=") }
      + ["\(variable)=\(ChildProcess.channelHandle)"]
  }

  // MARK: What the new process says

  /// Asks for the admin address, and waits until it is free.
  func takeAdmin() async throws(UpgradeError) { try await ask(.wantsAdmin, for: .adminReleased) }

  /// Says that everything is prepared, and waits until it may serve.
  ///
  /// - Parameter unusedAddresses: whose sockets are closed here.
  func becomeReady(unusedAddresses: Set<SocketAddress>) async throws(UpgradeError) {
    let unused = sockets.indices.filter { unusedAddresses.contains(sockets[$0].address) }
    try await ask(.ready(unused: unused), for: .proceed)
  }

  /// Says that connections are accepted, and waits until what only one process can have is free.
  func startServing() async throws(UpgradeError) { try await ask(.serving, for: .released) }

  /// Says why this process ends.
  func fail(_ reason: String) {
    // Where nobody listens any more, nobody wants to know.
    try? channel.send(
      .init(bytes: UpgradeMessage.failed(reason).bytes), milliseconds: Self.answerMilliseconds)
  }

  private func ask(_ question: UpgradeMessage, for answer: UpgradeMessage)
    async throws(UpgradeError)
  {
    let result: Result<Void, UpgradeError> = await withCheckedContinuation { continuation in
      BackgroundThread.start(name: "upgrade") { [channel] in
        continuation.resume(returning: Self.converse(on: channel, question, answer))
      }
    }
    try result.get()
  }

  /// On a thread that may block.
  private static func converse(
    on channel: DescriptorChannel, _ question: UpgradeMessage, _ answer: UpgradeMessage
  ) -> Result<Void, UpgradeError> {
    do throws(SystemError) {
      try channel.send(.init(bytes: question.bytes), milliseconds: answerMilliseconds)
    } catch {
      return error == .brokenPipe
        ? .success(()) : .failure(UpgradeError("the process before this one: \(error)"))
    }
    do throws(UpgradeError) {
      guard let found = try next(on: channel) else { return .success(()) }
      HandoverSocket.close(found.handles)
      guard found.message == answer else {
        throw UpgradeError("the process before this one has another answer")
      }
      return .success(())
    } catch {
      return .failure(error)
    }
  }

  private typealias Found = (message: UpgradeMessage, handles: [Int32])

  private static func nextSockets(on channel: DescriptorChannel) throws(UpgradeError)
    -> [HandoverSocket]
  {
    guard let found = try next(on: channel) else {
      throw UpgradeError("the process before this one has gone")
    }
    guard case .sockets(let places) = found.message, places.count == found.handles.count,
      !places.isEmpty
    else {
      HandoverSocket.close(found.handles)
      throw UpgradeError("the process before this one does not hand over its sockets")
    }
    return zip(places, found.handles).map {
      HandoverSocket(address: $0.address, worker: $0.worker, handle: $1)
    }
  }

  /// - Returns: nil where the old process is gone.
  private static func next(on channel: DescriptorChannel) throws(UpgradeError) -> Found? {
    let received: DescriptorChannel.Message?
    do throws(SystemError) {
      received = try channel.receive(milliseconds: answerMilliseconds)
    } catch {
      throw UpgradeError("the process before this one does not answer: \(error)")
    }
    guard let received else { return nil }
    guard let message = UpgradeMessage(received.bytes) else {
      HandoverSocket.close(received.handles)
      throw UpgradeError(
        "the process before this one says something that this version does not know")
    }
    return (message, received.handles)
  }
}

/// Why an upgrade did not happen.
public struct UpgradeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Another upgrade is the reason.
  var isInProgress = false
  public let description: String

  init(_ description: String) { self.description = description }

  static let inProgress: UpgradeError = {
    var error = UpgradeError("an upgrade is under way")
    error.isInProgress = true
    return error
  }()
}
