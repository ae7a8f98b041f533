import Resources
import Runtime
import Testing

@testable import Plugins

@Suite("Tables of networks")
struct NetworkTableTests {
  private func table(_ texts: [String]) throws -> NetworkTable {
    NetworkTable(try texts.map { try Network.read($0) })
  }

  private func contains(_ table: NetworkTable, _ address: String) throws -> Bool {
    table.contains(try #require(SocketAddress(ip: address, port: 1)))
  }

  @Test(
    "a network holds its addresses and no others",
    arguments: [
      (
        "10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "::a00:0", "2001:db8::1"]
      ),
      ("192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.0", "192.0.2.2"]),
      ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1", "ffff::"]),
      ("::/0", ["::", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], ["0.0.0.0", "255.255.255.255"]),
      (
        "2001:db8::/32", ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
        ["2001:db9::", "2001:db7:ffff::"]
      ),
      ("::ffff:10.0.0.0/104", ["10.1.1.1"], ["11.1.1.1"]),
      ("255.255.255.255", ["255.255.255.255"], ["255.255.255.254", "0.0.0.0"]),
    ])
  func aNetworkHoldsItsAddresses(_ network: String, _ inside: [String], _ outside: [String]) throws {
    let table = try table([network])
    for address in inside { #expect(try contains(table, address), "\(address)") }
    for address in outside { #expect(try !contains(table, address), "\(address)") }
  }

  @Test("nothing is in an empty table")
  func nothingIsInAnEmptyTable() throws {
    for address in ["0.0.0.0", "255.255.255.255", "::", "ffff::"] { #expect(try !contains(.empty, address)) }
  }

  @Test("ranges that touch are merged")
  func rangesThatTouchAreMerged() {
    #expect(RangeTable<UInt32>([1...2, 3...4, 6...7, 0...0, 6...6]).count == 2)
    #expect(RangeTable<UInt32>([0...UInt32.max, 5...6]).count == 1)
    #expect(RangeTable<UInt32>([7...UInt32.max, UInt32.max...UInt32.max]).count == 1)
  }

  @Test("ranges are found as a list finds them that is gone through", arguments: [1, 5, 200, 2_000])
  func manyRangesAreFoundAsAListFindsThem(_ count: Int) {
    var random = SplitMix64(seed: UInt64(count))
    var ranges: [ClosedRange<UInt32>] = []
    for _ in 0..<count {
      let bits = UInt32(random.next() % 24 + 8)
      let start = UInt32(truncatingIfNeeded: random.next()) & ~(UInt32.max >> bits)
      ranges.append(start...(start | UInt32.max >> bits))
    }
    let table = RangeTable(ranges)
    var numbers = ranges.flatMap { [$0.lowerBound, $0.upperBound, $0.lowerBound &- 1, $0.upperBound &+ 1] }
    for _ in 0..<200 { numbers.append(UInt32(truncatingIfNeeded: random.next())) }
    for number in numbers.prefix(2_000) {
      #expect(table.contains(number) == ranges.contains { $0.contains(number) }, "\(number)")
    }
  }

  @Test("files of networks are read, and errors name the line")
  func filesOfNetworksAreRead() throws {
    let table = try NetworkTable.read(Array("# x\n10.0.0.0/8 # y\r\n\n\t::1".utf8))
    #expect(try contains(table, "10.1.1.1") && contains(table, "::1") && !contains(table, "127.0.0.1"))
    #expect { try NetworkTable.read(Array("10.0.0.0/8\n10.0.0.0/99".utf8)) } throws: { error in
      (error as? FileProblem)?.message.hasPrefix("line 2: ") == true
    }
  }
}

@Suite("Alternatives of expressions")
struct AlternativesTests {
  @Test("expressions are joined without a change of their meaning")
  func expressionsAreJoinedWithoutAChangeOfTheirMeaning() throws {
    let expressions = ["a|b", "^c", "\\Qd.", "(?i)e", "f$"] + (0..<256).map { "robot-number-\($0)-of-many" }
    let joined = try Alternatives.joined(expressions).map { try RegularExpression($0) }
    #expect(joined.count < 10)
    for (text, isFound) in [
      ("xbx", true), ("c", true), ("xc", false), ("xd.x", true), ("dx", false), ("E", true), ("F", false),
      ("xf", true),
      ("fx", false), ("", false),
    ] {
      let bytes = Array(text.utf8)
      let found = joined.contains { $0.matchesPart(of: bytes.span) }
      #expect(found == isFound, "\(text)")
    }
  }
}
