import HTTPCodec

/// The ways in which an input arrives: whole, byte by byte, and in pieces that depend on the input alone,
/// so that an input always fails in the same way.
struct Pieces {
  private var state: UInt64 = 0xCBF2_9CE4_8422_2325

  init(of input: [UInt8]) {
    for byte in input { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  /// The next number of the sequence, less than `limit`.
  mutating func next(below limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return limit <= 1 ? 0 : Int(state >> 33) % limit
  }

  /// Where the pieces of `count` bytes end; the last is `count`.
  mutating func ends(_ count: Int) -> [Int] {
    var ends: [Int] = []
    var end = 0
    while end < count {
      end = min(count, end + 1 + next(below: 24))
      ends.append(end)
    }
    return ends.isEmpty ? [0] : ends
  }

  /// All ways to cut `input`.
  static func ways(of input: [UInt8]) -> [[Int]] {
    var pieces = Pieces(of: input)
    return [Array(0...input.count), pieces.ends(input.count), pieces.ends(input.count)]
  }
}

/// A sink in an array.
final class Sink: ByteSink {
  var bytes: [UInt8] = []
  var count: Int { bytes.count }
  func append(_ byte: UInt8) { bytes.append(byte) }
  func append(_ piece: Span<UInt8>) { for index in piece.indices { bytes.append(piece[index]) } }
  func replaceBytes(at position: Int, with piece: Span<UInt8>) {
    for index in piece.indices { bytes[position + index] = piece[index] }
  }
}

/// A field line as text.
struct FieldText: Equatable {
  var name: [UInt8]
  var value: [UInt8]
  var known: KnownField

  init(_ field: Field, in bytes: [UInt8]) {
    name = Array(bytes[field.name.range])
    value = Array(bytes[field.value.range])
    known = field.known
  }
}

/// Requires that ranges lie within the first `end` bytes.
func requireWithin(_ end: Int, _ ranges: [ByteRange]) throws(BrokenProperty) {
  for range in ranges where range.end > end {
    throw BrokenProperty("the range \(range.range) goes beyond \(end)")
  }
}

/// Requires that the names and values of fields lie within the first `end` bytes.
func requireWithin(_ end: Int, _ fields: [Field]) throws(BrokenProperty) {
  for field in fields where field.name.end > end || field.value.end > end {
    throw BrokenProperty("the field \(field.name.range), \(field.value.range) goes beyond \(end)")
  }
}

/// What became of a message.
enum Outcome<Value: Equatable>: Equatable {
  case accepted(Value)
  case refused(HTTP1Error)
  case incomplete
}

/// What completes a head that is not complete: in between, a parser looks at the structure of lines only.
let headEnd: [UInt8] = [13, 10, 13, 10]
