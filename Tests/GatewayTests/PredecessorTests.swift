import DataPlane
import Runtime
import Testing

@testable import Gateway

/// The test is the old process.
@Suite struct PredecessorTests {
  private static let address = SocketAddress(ipv4: 127, 0, 0, 1, port: 8_080)

  private func say(_ messages: [UpgradeMessage], on channel: DescriptorChannel) throws {
    for message in messages { try channel.send(.init(bytes: message.bytes), milliseconds: 1_000) }
  }

  private func heard(_ channel: DescriptorChannel) throws -> UpgradeMessage? {
    try channel.receive(milliseconds: 20_000).flatMap { UpgradeMessage($0.bytes) }
  }

  /// A predecessor without sockets, and what the test talks to it by.
  private func introduced(hasAdmin: Bool = true) throws -> (Predecessor, DescriptorChannel) {
    let (old, new) = try DescriptorChannel.pair()
    try say([.hello(version: UpgradeMessage.version, socketCount: 0, hasAdmin: hasAdmin)], on: old)
    return (try Predecessor(new), old)
  }

  @Test func takesAllSockets() throws {
    let (old, new) = try DescriptorChannel.pair()
    let seam = EpollSeam()
    let handle = try seam.listen(on: SocketAddress(ipv4: 127, 0, 0, 1, port: 0), backlog: 1)
    defer { seam.close(handle, reset: false) }
    try say([.hello(version: UpgradeMessage.version, socketCount: 3, hasAdmin: false)], on: old)
    for (count, worker) in [(2, 0), (1, 1)] {
      let places = [UpgradeMessage.Place](
        repeating: .init(address: Self.address, worker: worker), count: count)
      try old.send(
        .init(bytes: UpgradeMessage.sockets(places).bytes, handles: Array(repeating: handle, count: count)),
        milliseconds: 1_000)
    }
    let predecessor = try Predecessor(new)
    defer { for socket in predecessor.sockets { seam.close(socket.handle, reset: false) } }
    #expect(predecessor.sockets.map(\.worker) == [0, 0, 1])
    #expect(predecessor.sockets.allSatisfy { $0.address == Self.address })
    #expect(Set(predecessor.sockets.map(\.handle)).count == 3)
  }

  @Test func wholeConversation() async throws {
    let (predecessor, old) = try introduced()
    try say([.adminReleased, .proceed, .released], on: old)
    try await predecessor.takeAdmin()
    try await predecessor.becomeReady(unusedAddresses: [Self.address])
    try await predecessor.startServing()
    #expect(try heard(old) == .wantsAdmin)
    #expect(try heard(old) == .ready(unused: []))
    #expect(try heard(old) == .serving)
  }

  @Test func failureIsTold() throws {
    let (predecessor, old) = try introduced()
    predecessor.fail("the file is wrong")
    #expect(try heard(old) == .failed("the file is wrong"))
  }

  /// Where the old process is gone there is nobody to wait for.
  @Test func goesOnWithoutTheOldProcess() async throws {
    let (predecessor, old) = try introduced()
    old.shutDown()
    try await predecessor.takeAdmin()
    try await predecessor.becomeReady(unusedAddresses: [])
    try await predecessor.startServing()
  }

  @Test func anotherAnswerThanTheExpectedIsAnError() async throws {
    let (predecessor, old) = try introduced()
    try say([.released], on: old)
    await #expect(throws: UpgradeError.self) { try await predecessor.takeAdmin() }
  }

  @Test(
    arguments: [
      [], [.proceed], [.hello(version: UpgradeMessage.version + 1, socketCount: 0, hasAdmin: false)],
      [.hello(version: UpgradeMessage.version, socketCount: 1, hasAdmin: false)],
      [.hello(version: UpgradeMessage.version, socketCount: 1, hasAdmin: false), .proceed],
      // Named, but not there.
      [
        .hello(version: UpgradeMessage.version, socketCount: 1, hasAdmin: false),
        .sockets([.init(address: address, worker: 0)]),
      ],
    ] as [[UpgradeMessage]])
  func whoeverDoesNotHandOverIsRefused(messages: [UpgradeMessage]) throws {
    let (old, new) = try DescriptorChannel.pair()
    try say(messages, on: old)
    old.shutDown()
    #expect(throws: UpgradeError.self) { _ = try Predecessor(new) }
  }

  @Test func bytesOfAnotherProtocolAreRefused() throws {
    let (old, new) = try DescriptorChannel.pair()
    try old.send(.init(bytes: [0xff]), milliseconds: 1_000)
    #expect(throws: UpgradeError.self) { _ = try Predecessor(new) }
  }

  @Test func variableNamesTheDescriptor() throws {
    let none = try Predecessor.find(in: ["PATH=/bin", "OTHER=3"])
    #expect(none == nil)
    for value in ["", "x", "-1", "0", "2", "1000000"] {
      #expect(throws: UpgradeError.self) { try Predecessor.find(in: ["PENSTOCK_UPGRADE_FD=\(value)"]) }
    }
    let own = ["PATH=/bin", "PENSTOCK_UPGRADE_FD=9", "X=PENSTOCK_UPGRADE_FD=1"]
    #expect(
      Predecessor.environment(forSuccessorOf: own)
        == ["PATH=/bin", "X=PENSTOCK_UPGRADE_FD=1", "PENSTOCK_UPGRADE_FD=3"])
  }
}
