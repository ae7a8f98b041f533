import HTTPCodec

/// The canonical form of paths.
///
/// - A plain and slow reading of the rules comes to the same result.
/// - Brought to its form a second time, a path does not change.
enum PathChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let expected = reference(input)
    var output: [UInt8] = []
    let isChanged: Bool
    do throws(HTTP1Error) {
      isChanged = try PathNormaliser.normalise(input.span, into: &output)
    } catch {
      return try require(expected == nil, "\(text(input)) is refused: \(error), not \(text(expected))")
    }
    let result = isChanged ? output : input
    try require(expected == result, "\(text(input)) became \(text(result)), not \(text(expected))")
    try require(isChanged == (result != input), "said to be changed, and is not")
    try require(result.count <= input.count * 3, "it grew beyond what encoding needs")
    var again: [UInt8] = []
    guard (try? PathNormaliser.normalise(result.span, into: &again)) == false else {
      throw BrokenProperty("\(text(result)) changes to \(text(again)) the second time")
    }
  }

  private static let unreserved = Set(
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let plain = unreserved.union("!$&'()*+,;=:@/".utf8)
  private static let refused = Set([UInt8(ascii: "?"), UInt8(ascii: "#")])

  /// The rules of ``PathNormaliser``, one after the other; nil where the path is refused.
  private static func reference(_ path: [UInt8]) -> [UInt8]? {
    guard path.first == UInt8(ascii: "/") else { return nil }
    var encoded: [UInt8] = []
    var index = 0
    while index < path.count {
      var byte = path[index]
      let isEncoded = byte == UInt8(ascii: "%")
      if isEncoded {
        guard index + 2 < path.count, let high = path[index + 1].hexDigitValue,
          let low = path[index + 2].hexDigitValue, high | low != 0
        else { return nil }
        byte = high * 16 + low
        index += 2
      } else {
        guard 33...126 ~= byte, !refused.contains(byte) else { return nil }
      }
      index += 1
      if (isEncoded ? unreserved : plain).contains(byte) {
        encoded.append(byte)
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        encoded += Array("%\(digits.count == 1 ? "0" : "")\(digits)".utf8)
      }
    }
    return withoutDots(encoded)
  }

  private static func withoutDots(_ path: [UInt8]) -> [UInt8]? {
    let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true).map(Array.init)
    let dot = Array(".".utf8)
    let dots = Array("..".utf8)
    var kept: [[UInt8]] = []
    for segment in segments where segment != dot {
      guard segment == dots else {
        kept.append(segment)
        continue
      }
      guard kept.popLast() != nil else { return nil }
    }
    let endsOpen = path.last == UInt8(ascii: "/") || segments.last == dot || segments.last == dots
    let joined = kept.joined(separator: [UInt8(ascii: "/")])
    return [UInt8(ascii: "/")] + joined + (endsOpen && !kept.isEmpty ? [UInt8(ascii: "/")] : [])
  }

  private static func text(_ bytes: [UInt8]?) -> String {
    bytes.map { String(decoding: $0, as: UTF8.self).debugDescription } ?? "nothing"
  }
}
