import Runtime
import Testing

@testable import DataPlane

@Suite("Limits of client addresses")
struct ClientAddressesTests {
  private func key(_ text: String) throws -> ClientAddresses.Key {
    ClientAddresses.Key(try #require(SocketAddress(ip: text, port: 1)))
  }

  private func time(_ milliseconds: Int64) -> MonotonicTime {
    MonotonicTime(nanoseconds: milliseconds * 1_000_000)
  }

  @Test("An IPv6 network of 64 bits is one address; IPv4 addresses are themselves")
  func networks() throws {
    #expect(try key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff:ffff:ffff:ffff"))
    #expect(try key("2001:db8:1:2::1") != key("2001:db8:1:3::1"))
    #expect(try key("192.0.2.1") != key("192.0.2.2"))
    #expect(try key("::ffff:192.0.2.1") == key("192.0.2.1"))
    #expect(try key("::1") != key("0.0.0.1"))
  }

  @Test("As many connections as the limit says, whatever others have")
  func connections() throws {
    var addresses = ClientAddresses()
    let (mine, other) = (try key("192.0.2.1"), try key("192.0.2.2"))
    for _ in 0..<3 {
      let allowed = addresses.connect(mine, limit: 3, now: time(0))
      #expect(allowed)
    }
    let allowed1 = addresses.connect(mine, limit: 3, now: time(0))
    #expect(!allowed1)
    let allowed2 = addresses.connect(other, limit: 3, now: time(0))
    #expect(allowed2)
    addresses.disconnect(mine, now: time(1))
    let allowed3 = addresses.connect(mine, limit: 3, now: time(1))
    #expect(allowed3)
    let allowed4 = addresses.connect(mine, limit: 3, now: time(1))
    #expect(!allowed4)
  }

  @Test("Handshakes: twice the rate at once, and then the rate")
  func handshakes() throws {
    var addresses = ClientAddresses()
    let mine = try key("192.0.2.1")
    _ = addresses.connect(mine, limit: 9, now: time(0))
    func begin(at milliseconds: Int64) -> Int {
      var count = 0
      while addresses.takeHandshake(mine, rate: 10, now: time(milliseconds)) { count += 1 }
      return count
    }
    #expect(begin(at: 10_000) == 20)
    #expect(begin(at: 10_050) == 0)
    #expect(begin(at: 10_100) == 1)
    #expect(begin(at: 11_100) == 10)
    #expect(begin(at: 90_000) == 20)
  }

  @Test("An address that begins handshakes again and again gains nothing by new connections")
  func creditOutlivesConnections() throws {
    var addresses = ClientAddresses()
    let mine = try key("192.0.2.1")
    var begun = 0
    for milliseconds in Int64(0)..<1_000 {
      _ = addresses.connect(mine, limit: 9, now: time(milliseconds))
      if addresses.takeHandshake(mine, rate: 10, now: time(milliseconds)) { begun += 1 }
      addresses.disconnect(mine, now: time(milliseconds))
    }
    #expect((29...30).contains(begun))
  }

  @Test("Addresses that are gone are forgotten")
  func forgets() throws {
    var addresses = ClientAddresses()
    for number in 0..<20_000 {
      let key = ClientAddresses.Key(
        SocketAddress(ipv4: 10, 1, UInt8(number >> 8), UInt8(number & 255), port: 1))
      let allowed5 = addresses.connect(key, limit: 1, now: time(Int64(number)))
      #expect(allowed5)
      _ = addresses.takeHandshake(key, rate: 5, now: time(Int64(number)))
      addresses.disconnect(key, now: time(Int64(number)))
    }
    // Of two seconds, one in a millisecond; and as many again until they are looked through.
    #expect(addresses.count <= 6_000)
  }
}
