/// The length in bits of the code of each octet, and of the end of the string (RFC 7541 appendix B).
///
/// The code is canonical: codes of one length follow each other in the order of the octets, and the
/// lengths alone say what they are.
private let huffmanLengths: InlineArray<257, UInt8> = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]

/// What the next bits of a coded string begin with.
struct HuffmanStep: BitwiseCopyable, Sendable {
  /// The first octet in the low byte, the second in the high one.
  var octets: UInt16 = 0
  /// Bits of the first code; zero where it is longer than what was looked up.
  var firstBits: UInt8 = 0
  /// Bits of both codes; of the first alone, where the second is not among the bits as a whole.
  var bits: UInt8 = 0
}

/// The Huffman code as tables, made once from the lengths of its codes.
struct HuffmanTables: Sendable {
  /// How many bits are looked up at once. The codes of letters, digits and nearly all punctuation are
  /// shorter, and those of most letters and digits fit twice.
  static let stepBits = 11
  static let longestCode = 30
  static let endOfString: UInt16 = 256

  /// By the next eleven bits.
  private(set) var steps = InlineArray<2048, HuffmanStep>(repeating: HuffmanStep())
  /// All octets in the order of their codes.
  private(set) var symbols = InlineArray<257, UInt16>(repeating: 0)
  /// By length: the code after the last of that length, in the high bits of a 32-bit word.
  private(set) var limits = InlineArray<31, UInt64>(repeating: 0)
  /// By length: what to add to a code for its place in `symbols`.
  private(set) var offsets = InlineArray<31, Int>(repeating: 0)
  /// By octet: its code in the low bits, the length of it from bit 32 on.
  private(set) var codes = InlineArray<256, UInt64>(repeating: 0)

  fileprivate init() {
    var code = 0
    var place = 0
    for length in 1...Self.longestCode {
      code <<= 1
      offsets[length] = place - code
      for symbol in 0...256 where Int(huffmanLengths[symbol]) == length {
        symbols[place] = UInt16(symbol)
        if symbol < 256 { add(symbol, code, length) }
        code += 1
        place += 1
      }
      limits[length] = UInt64(code) << UInt64(32 - length)
    }
    for bits in 0..<(1 << Self.stepBits) { addSecond(bits) }
  }

  private mutating func add(_ symbol: Int, _ code: Int, _ length: Int) {
    codes[symbol] = UInt64(code) | UInt64(length) << 32
    guard length <= Self.stepBits else { return }
    let unused = Self.stepBits - length
    for suffix in 0..<(1 << unused) {
      steps[code << unused | suffix] = HuffmanStep(
        octets: UInt16(symbol), firstBits: UInt8(length), bits: UInt8(length))
    }
  }

  /// Adds the octet behind the first one, where its code is among the bits as a whole.
  private mutating func addSecond(_ bits: Int) {
    let first = steps[bits]
    let rest = bits << Int(first.firstBits) & (1 << Self.stepBits - 1)
    let second = steps[rest]
    guard first.firstBits > 0, second.firstBits > 0, first.firstBits + second.firstBits <= Self.stepBits
    else { return }
    steps[bits].octets = first.octets | second.octets << 8
    steps[bits].bits = first.firstBits + second.firstBits
  }
}

let huffmanTables = HuffmanTables()
