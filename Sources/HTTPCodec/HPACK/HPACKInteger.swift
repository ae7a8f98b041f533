/// Integers with a prefix (RFC 7541 §5.1).
enum HPACKInteger {
  /// Bytes that may follow the prefix: numbers up to 2^28, which is more than any length or size that
  /// is accepted. It bounds what a number made of zeros can cost.
  static let continuationBytesMax = 4

  /// Decodes the integer whose prefix is in the byte at `position`, and moves behind it.
  ///
  /// - Parameter prefixMask: the bits of the prefix, all ones.
  /// - Returns: nil where the block ends too early, or the number is larger than any that is accepted.
  @inline(__always)
  static func decode(_ block: Span<UInt8>, at position: inout Int, prefixMask: UInt8) -> Int? {
    let prefix = block[position] & prefixMask
    position &+= 1
    if prefix < prefixMask { return Int(prefix) }
    return decodeRest(block, at: &position, first: Int(prefix))
  }

  @inline(never)
  private static func decodeRest(_ block: Span<UInt8>, at position: inout Int, first: Int) -> Int? {
    var value = first
    for index in 0..<continuationBytesMax {
      guard position < block.count else { return nil }
      let byte = block[position]
      position &+= 1
      value &+= Int(byte & 0x7F) &<< (index &* 7)
      if byte < 0x80 { return value }
    }
    return nil
  }

  /// Appends an integer.
  ///
  /// - Parameters:
  ///   - pattern: what stands in the first byte before the prefix.
  ///   - prefixMask: the bits of the prefix, all ones.
  @inline(__always)
  static func encode(_ value: Int, pattern: UInt8, prefixMask: UInt8, into output: inout LineBuffer) {
    if value < Int(prefixMask) {
      output.append(pattern | UInt8(truncatingIfNeeded: value))
    } else {
      encodeRest(value &- Int(prefixMask), first: pattern | prefixMask, into: &output)
    }
  }

  @inline(never)
  private static func encodeRest(_ value: Int, first: UInt8, into output: inout LineBuffer) {
    output.append(first)
    var rest = value
    while rest >= 0x80 {
      output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest &>>= 7
    }
    output.append(UInt8(truncatingIfNeeded: rest))
  }
}
