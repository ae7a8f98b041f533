import HTTPCodec
import Resources
import Runtime
import Testing

@testable import DataPlane

struct HashKeySourceTests {
  private let client = SocketAddress(ipv4: 192, 0, 2, 1, port: 5_000)

  private func key(_ by: HashKey, _ request: WrittenRequest) -> UInt64? {
    let (head, bytes) = request.head()
    return HashKeySource(.hash(by))!.key(client: client, head: head, bytes: bytes.span)
  }

  @Test("Policies without a key have no source")
  func none() {
    #expect(HashKeySource(.roundRobin) == nil)
    #expect(HashKeySource(.leastRequest) == nil)
  }

  @Test("The client's address without its port")
  func clientAddress() {
    let source = HashKeySource(.hash(.clientIP))!
    let (head, bytes) = WrittenRequest().head()
    func key(_ last: UInt8, _ port: UInt16) -> UInt64? {
      source.key(client: SocketAddress(ipv4: 192, 0, 2, last, port: port), head: head, bytes: bytes.span)
    }
    #expect(key(1, 5_000) == key(1, 5_001))
    #expect(key(1, 5_000) != key(2, 5_000))
    #expect(key(1, 5_000) != nil)
  }

  @Test("The first field line of a header, in any case of its name")
  func header() {
    let one = key(.header("X-User"), WrittenRequest().header("x-user", "u1").header("X-User", "u2"))
    #expect(one != nil)
    #expect(one == key(.header("x-user"), WrittenRequest().header("X-USER", "u1")))
    #expect(one != key(.header("x-user"), WrittenRequest().header("X-USER", "U1")))
    #expect(key(.header("x-user"), WrittenRequest().header("X-Use", "u1")) == nil)
  }

  @Test("A cookie, also from a second field line")
  func cookie() {
    let one = key(.cookie("sid"), WrittenRequest().header("Cookie", "a=b; sid=42"))
    #expect(one != nil)
    #expect(one == key(.cookie("sid"), WrittenRequest().header("cookie", "x=y").header("cookie", "sid=42")))
    #expect(key(.cookie("SID"), WrittenRequest().header("Cookie", "sid=42")) == nil)
    #expect(key(.cookie("sid"), WrittenRequest().header("X", "sid=42")) == nil)
  }

  @Test("A query parameter")
  func query() {
    let one = key(.query("id"), WrittenRequest().query("a=1&id=42"))
    #expect(one != nil)
    #expect(one == key(.query("id"), WrittenRequest().query("id=42&id=43")))
    #expect(key(.query("id"), WrittenRequest().query("idx=42")) == nil)
    #expect(key(.query("id"), WrittenRequest()) == nil)
  }

  @Test("Requests without a key go round")
  func withoutKey() {
    var trial = Trial(.hash(.header("x")), Endpoint.numbers(0..<4))
    #expect(trial.picks(400) == [100, 100, 100, 100])
  }
}
