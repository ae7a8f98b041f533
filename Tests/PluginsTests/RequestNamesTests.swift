import Runtime
import Testing

@testable import Plugins

@Suite("Names of requests")
struct RequestNamesTests {
  private func text(_ append: (Buffer) -> Void) -> String {
    let out = Buffer(capacity: 8)
    append(out)
    return String(decoding: out.copy(0..<out.count), as: UTF8.self)
  }

  private func ksuid(_ seconds: Int64, _ high: UInt64, _ low: UInt64) -> String {
    text { RequestNames.appendKSUID(seconds: seconds, high, low, to: $0) }
  }

  @Test("RFC 9562: versions and variants stand where they belong")
  func uuids() {
    #expect(text { RequestNames.appendUUID(0, 0, to: $0) } == "00000000-0000-4000-8000-000000000000")
    #expect(text { RequestNames.appendUUID(.max, .max, to: $0) } == "ffffffff-ffff-4fff-bfff-ffffffffffff")
    // RFC 9562 §A.6.
    let timed = text { RequestNames.appendTimedUUID(0x017F_22E2_79B0, 0xCC3, 0x18C4_DC0C_0C07_398F, to: $0) }
    #expect(timed == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
  }

  @Test("hexadecimal digits are all there")
  func hexadecimal() {
    let name = text { RequestNames.appendHexadecimal(0x0123_4567_89AB_CDEF, 1, to: $0) }
    #expect(name == "0123456789abcdef0000000000000001")
  }

  @Test("KSUIDs: the least, the greatest, and the known example")
  func ksuids() {
    #expect(ksuid(1_400_000_000, 0, 0) == "000000000000000000000000000")
    #expect(
      ksuid(1_400_000_000 + 0xFFFF_FFFF, .max, .max)
        == "aWgEPTl1tmebfsQzFP4bxwgy80V")
    #expect(ksuid(1_700_000_000, .max, .max) < ksuid(1_700_000_001, 0, 0))
  }

  @Test("nanoids have 21 characters, and every bit makes a difference")
  func nanoids() {
    var seen = [text { RequestNames.appendNanoid(0, 0, to: $0) }]
    for bit in 0..<126 {
      let (high, low): (UInt64, UInt64) = bit < 64 ? (0, 1 << bit) : (1 << (bit - 64), 0)
      let name = text { RequestNames.appendNanoid(high, low, to: $0) }
      #expect(name.count == 21)
      #expect(!seen.contains(name))
      seen.append(name)
    }
  }
}
