import DataPlane
import Runtime
import Testing

@testable import Gateway

@Suite struct UpgradeMessageTests {
  static let messages: [UpgradeMessage] = [
    .hello(version: 1, socketCount: 250, hasAdmin: true), .hello(version: 1, socketCount: 0, hasAdmin: false),
    .sockets([
      .init(address: SocketAddress(ipv4: 0, 0, 0, 0, port: 443), worker: 0),
      .init(address: SocketAddress(ip: "::1", port: 0) ?? .any, worker: 63),
    ]),
    .adminReleased, .proceed, .released, .wantsAdmin, .ready(unused: []), .ready(unused: [0, 17]), .serving,
    .failed("two\nlines, and ümlauts"), .failed(""),
  ]

  @Test(arguments: messages)
  func comesBackAsItWas(message: UpgradeMessage) {
    #expect(UpgradeMessage(message.bytes) == message)
  }

  @Test(
    arguments: [
      "", " ", "hello", "hello 1", "hello 1 2", "hello 1 -2 0", "hello 1 x 0", "ready 1  2", "ready -1",
      "ready x", "serving now", "serving\n", "sockets", "sockets\n", "sockets\n127.0.0.1 80", "failed",
      "sockets\n127.0.0.1 65536 0", "sockets\n127.0.0.1 80 -1", "sockets\nexample.test 80 0",
      "sockets\n127.0.0.1 80 0\n", "SERVING", "surrender",
    ])
  func refusesWhatItDoesNotKnow(text: String) {
    #expect(UpgradeMessage(Array(text.utf8)) == nil)
  }

  @Test func refusesBytesThatAreNoText() {
    #expect(UpgradeMessage([0xff, 0xfe]) == nil)
  }

  @Test func laterVersionsMaySayMoreInTheirHello() {
    #expect(
      UpgradeMessage(Array("hello 7 3 1 42".utf8)) == .hello(version: 7, socketCount: 3, hasAdmin: true))
  }

  @Test func longReasonsFitIntoAMessage() {
    let message = UpgradeMessage.failed(String(repeating: "ü", count: 200_000))
    #expect(message.bytes.count < DescriptorChannel.bytesMax)
    #expect(UpgradeMessage(message.bytes) != nil)
  }
}
