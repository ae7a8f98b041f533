import Resources
import Runtime

/// A set of networks. Looking an address up takes the same time whether there are ten or a hundred thousand of
/// them. From any thread; workers share it.
///
/// Networks of IPv6 hold addresses of IPv6 only: `::/0` is not everybody.
final class NetworkTable: Sendable {
  private let ipv4: RangeTable<UInt32>
  private let ipv6: RangeTable<UInt128>

  static let empty = NetworkTable([])

  init(_ networks: [Network]) {
    var ipv4: [ClosedRange<UInt32>] = []
    var ipv6: [ClosedRange<UInt128>] = []
    for network in networks {
      let start = network.address.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
      if network.prefixBits >= 96, start >> 32 == 0xFFFF {
        let start = UInt32(truncatingIfNeeded: start)
        ipv4.append(start...(start | UInt32.max >> UInt32(network.prefixBits - 96)))
      } else {
        ipv6.append(start...(start | UInt128.max >> UInt128(network.prefixBits)))
      }
    }
    self.ipv4 = RangeTable(ipv4)
    self.ipv6 = RangeTable(ipv6)
  }

  func contains(_ address: SocketAddress) -> Bool {
    let octets = address.octets
    if address.isIPv4 {
      return ipv4.contains(
        UInt32(octets[12]) << 24 | UInt32(octets[13]) << 16 | UInt32(octets[14]) << 8 | UInt32(octets[15]))
    }
    var number: UInt128 = 0
    for index in 0..<16 { number = number << 8 | UInt128(octets[index]) }
    return ipv6.contains(number)
  }

  // MARK: Files

  static let fileBytesMax = 16 << 20
  static let networksMax = 100_000

  /// One network a line; what stands behind `#` is a comment.
  static func read(_ bytes: [UInt8]) throws(FileProblem) -> NetworkTable {
    var networks: [Network] = []
    try LineFile.eachLine(of: bytes) { line throws(FileProblem) in
      let end = line.firstIndex(of: UInt8(ascii: "#")) ?? line.endIndex
      let text = String(decoding: LineFile.trimmed(line[..<end]), as: UTF8.self)
      guard networks.count < networksMax else { throw FileProblem("more than \(networksMax) networks") }
      do throws(OptionProblem) {
        networks.append(try Network.read(text))
      } catch {
        throw FileProblem(error.message, hint: error.hint)
      }
    }
    return NetworkTable(networks)
  }
}

/// Numbers in ranges: sorted, merged, and found by halving among those of like first bits.
struct RangeTable<Number: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
  private let starts: [Number]
  private let ends: [Number]
  /// By the first bits of a number's distance from the first range: how many ranges begin below those bits. Has
  /// about as many slots as there are ranges. Empty where they are few, and halving is as fast.
  private let below: [Int32]
  private let shift: Int
  private static var unindexedMax: Int { 32 }
  private static var slotBitsMax: Int { 16 }

  /// How many ranges are left of those that were given.
  var count: Int { starts.count }

  init(_ ranges: [ClosedRange<Number>]) {
    var starts: [Number] = []
    var ends: [Number] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = ends.last, last == .max || range.lowerBound <= last + 1 {
        ends[ends.count - 1] = max(last, range.upperBound)
      } else {
        starts.append(range.lowerBound)
        ends.append(range.upperBound)
      }
    }
    self.starts = starts
    self.ends = ends
    guard starts.count > Self.unindexedMax else {
      below = []
      shift = 0
      return
    }
    let slotBits = min(Self.slotBitsMax, Int.bitWidth - starts.count.leadingZeroBitCount)
    let distanceBits = Number.bitWidth - (starts[starts.count - 1] - starts[0]).leadingZeroBitCount
    shift = max(0, distanceBits - slotBits)
    var below = [Int32](repeating: 0, count: (1 << slotBits) + 1)
    for start in starts { below[Int((start - starts[0]) >> Number(shift)) + 1] += 1 }
    for slot in 1..<below.count { below[slot] += below[slot - 1] }
    self.below = below
  }

  func contains(_ number: Number) -> Bool {
    guard let first = starts.first, number >= first else { return false }
    // The last range that begins at the number or below it.
    var low = 0
    var high = starts.count
    if !below.isEmpty {
      let slot = min(Int(clamping: (number - first) >> Number(shift)), below.count - 2)
      low = Int(below[slot])
      high = Int(below[slot + 1])
    }
    while low < high {
      let middle = (low + high) / 2
      if starts[middle] <= number { low = middle + 1 } else { high = middle }
    }
    return low > 0 && number <= ends[low - 1]
  }
}
