import Testing

@testable import Plugins

@Suite("Names of requests")
struct RequestNamesTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test("RFC 9562: versions and variants stand where they belong")
  func uuids() {
    #expect(text(RequestNames.uuid(0, 0)) == "00000000-0000-4000-8000-000000000000")
    #expect(text(RequestNames.uuid(.max, .max)) == "ffffffff-ffff-4fff-bfff-ffffffffffff")
    // RFC 9562 §A.6.
    let timed = RequestNames.timedUUID(0x017F_22E2_79B0, 0xCC3, 0x18C4_DC0C_0C07_398F)
    #expect(text(timed) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
  }

  @Test("hexadecimal digits are all there")
  func hexadecimal() {
    #expect(text(RequestNames.hexadecimal(0x0123_4567_89AB_CDEF, 1)) == "0123456789abcdef0000000000000001")
  }

  @Test("KSUIDs: the least, the greatest, and the known example")
  func ksuids() {
    #expect(text(RequestNames.ksuid(seconds: 1_400_000_000, 0, 0)) == "000000000000000000000000000")
    #expect(
      text(RequestNames.ksuid(seconds: 1_400_000_000 + 0xFFFF_FFFF, .max, .max))
        == "aWgEPTl1tmebfsQzFP4bxwgy80V")
    let earlier = RequestNames.ksuid(seconds: 1_700_000_000, .max, .max)
    let later = RequestNames.ksuid(seconds: 1_700_000_001, 0, 0)
    #expect(earlier.lexicographicallyPrecedes(later))
  }

  @Test("nanoids have 21 characters, and every bit makes a difference")
  func nanoids() {
    var seen: Set<[UInt8]> = [RequestNames.nanoid(0, 0)]
    for bit in 0..<126 {
      let name = bit < 64 ? RequestNames.nanoid(0, 1 << bit) : RequestNames.nanoid(1 << (bit - 64), 0)
      #expect(name.count == 21)
      #expect(seen.insert(name).inserted)
    }
  }
}
