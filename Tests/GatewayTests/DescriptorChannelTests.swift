import Glibc
import Runtime
import Testing

@testable import Gateway

@Suite struct DescriptorChannelTests {
  @Test func messagesKeepTheirBounds() throws {
    let (one, other) = try DescriptorChannel.pair()
    try one.send(.init(bytes: [1]), milliseconds: 1_000)
    try one.send(.init(bytes: [2, 3]), milliseconds: 1_000)
    #expect(try other.receive(milliseconds: 1_000) == .init(bytes: [1]))
    #expect(try other.receive(milliseconds: 1_000) == .init(bytes: [2, 3]))
    try other.send(.init(bytes: [4]), milliseconds: 1_000)
    #expect(try one.receive(milliseconds: 1_000) == .init(bytes: [4]))
  }

  @Test func largestMessageArrives() throws {
    let (one, other) = try DescriptorChannel.pair()
    let bytes = [UInt8](repeating: 7, count: DescriptorChannel.bytesMax)
    try one.send(.init(bytes: bytes), milliseconds: 1_000)
    #expect(try other.receive(milliseconds: 1_000)?.bytes == bytes)
  }

  @Test func descriptorsArriveAndOutliveTheirSender() throws {
    let (one, other) = try DescriptorChannel.pair()
    let seam = EpollSeam()
    let handle = try seam.listen(on: SocketAddress(ipv4: 127, 0, 0, 1, port: 0), backlog: 16)
    let address = try #require(seam.localAddress(of: handle))
    let client = try seam.connect(to: address)
    defer { seam.close(client, reset: false) }
    let handles = [Int32](repeating: handle, count: DescriptorChannel.handlesMax)
    try one.send(.init(bytes: [1], handles: handles), milliseconds: 1_000)
    seam.stopWatching(handle)
    seam.close(handle, reset: false)

    let message = try #require(try other.receive(milliseconds: 1_000))
    #expect(message.handles.count == handles.count)
    defer { for handle in message.handles { seam.close(handle, reset: false) } }
    for handle in message.handles { #expect(fcntl(handle, F_GETFD) & FD_CLOEXEC != 0) }
    // What waited at the old one is accepted at the new one.
    let adopted = try #require(message.handles.first)
    try seam.adopt(listening: adopted)
    var peer = SocketAddress.any
    let accepted = seam.accept(from: adopted, peer: &peer)
    #expect(!accepted.isError)
    if !accepted.isError { seam.close(Int32(accepted.bytes), reset: false) }
  }

  @Test func handedOverSocketsAreReportedByTheirNewOwnerOnly() throws {
    let (old, new) = (EpollSeam(), EpollSeam())
    let handle = try old.listen(on: SocketAddress(ipv4: 127, 0, 0, 1, port: 0), backlog: 16)
    let address = try #require(old.localAddress(of: handle))
    let copy = try old.duplicate(handle)
    try new.adopt(listening: copy)
    old.stopWatching(handle)
    old.close(handle, reset: false)
    let client = try new.connect(to: address)
    defer {
      new.close(client, reset: false)
      new.close(copy, reset: false)
    }
    #expect(!reports(new, copy))
    new.setAccepting(true, on: copy)
    #expect(reports(new, copy))
    #expect(!reports(old, handle))
  }

  /// Whether a poll of half a second reports a handle.
  private func reports(_ seam: EpollSeam, _ handle: Int32) -> Bool {
    var events: [ReadyEvent] = []
    // The client's own news may come first.
    for _ in 0..<10 {
      seam.poll(until: seam.now().advanced(byNanoseconds: 50_000_000), into: &events)
      if events.contains(where: { $0.handle == handle }) { return true }
    }
    return false
  }

  @Test func onlyListeningSocketsAreAdopted() throws {
    let seam = EpollSeam()
    let handle = try seam.listen(on: SocketAddress(ipv4: 127, 0, 0, 1, port: 0), backlog: 16)
    let address = try #require(seam.localAddress(of: handle))
    let client = try seam.connect(to: address)
    defer {
      seam.close(client, reset: false)
      seam.close(handle, reset: false)
    }
    for other in [client, 0, 1_000_000] {
      #expect(throws: SystemError.self) { try seam.adopt(listening: other) }
    }
  }

  @Test func endOfTheOtherSideIsTold() throws {
    let (one, other) = try DescriptorChannel.pair()
    try one.send(.init(bytes: [1]), milliseconds: 1_000)
    // Its last words are heard, also where it had not listened itself.
    try other.send(.init(bytes: [2]), milliseconds: 1_000)
    func sendLast(_ channel: consuming DescriptorChannel) throws {
      try channel.send(.init(bytes: [3]), milliseconds: 1_000)
    }
    try sendLast(one)
    one.shutDown()
    #expect(try other.receive(milliseconds: 1_000)?.bytes == [1])
    #expect(try other.receive(milliseconds: 1_000)?.bytes == [3])
    #expect(try other.receive(milliseconds: 1_000) == nil)
    #expect(throws: SystemError.brokenPipe) { try other.send(.init(bytes: [4]), milliseconds: 1_000) }
  }

  @Test func waitsHaveAnEnd() throws {
    let (one, other) = try DescriptorChannel.pair()
    #expect(throws: SystemError.timedOut) { try one.receive(milliseconds: 10) }
    let bytes = [UInt8](repeating: 7, count: DescriptorChannel.bytesMax)
    // Nobody reads.
    #expect(throws: SystemError.timedOut) {
      for _ in 0..<10_000 { try one.send(.init(bytes: bytes), milliseconds: 10) }
    }
    withExtendedLifetime(other) {}
  }

  @Test func descriptorsThatAreNoChannelAreRefused() throws {
    var pipes: [Int32] = [0, 0]
    // Room for the two numbers that the call writes.
    #expect(unsafe pipe(&pipes) == 0)
    defer { for handle in pipes { close(handle) } }
    for handle in pipes + [1_000_000] {
      #expect(throws: SystemError.self) { _ = try DescriptorChannel(inherited: handle) }
    }
  }
}
