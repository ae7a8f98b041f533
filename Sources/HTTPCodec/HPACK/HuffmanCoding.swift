/// Decodes Huffman-coded strings (RFC 7541 §5.2), strictly.
enum HuffmanDecoding {
  /// Bytes that are written behind the last one of the result.
  static let slack = 1

  /// Decodes the whole of a span.
  ///
  /// - Parameter output: has room behind `start` for eight fifths of the bytes of `input`, and
  ///   ``slack``.
  /// - Returns: the index after the last byte that was written, or nil where the string holds the
  ///   code of its end, ends within a code, or is filled up with more than seven bits or with others
  ///   than ones.
  static func decode(_ input: Span<UInt8>, into output: inout MutableSpan<UInt8>, at start: Int) -> Int? {
    // The bits that were not decoded yet, from the highest on; zeros behind them.
    var bits: UInt64 = 0
    var available = 0
    var position = 0
    var end = start
    let steps = huffmanTables.steps.span
    var raw = MutableRawSpan(_elements: &output)
    while true {
      if available < HuffmanTables.longestCode {
        fill(&bits, &available, from: input, &position)
        // The end of the string is near: one octet at a time.
        if available < HuffmanTables.longestCode { break }
      }
      let step = steps[Int(truncatingIfNeeded: bits &>> UInt64(64 &- HuffmanTables.stepBits))]
      guard step.bits == 0 else {
        raw.storeBytes(of: step.octets.littleEndian, toByteOffset: end, as: UInt16.self)
        end &+= step.bits == step.firstBits ? 1 : 2
        bits &<<= UInt64(step.bits)
        available &-= Int(step.bits)
        continue
      }
      let (octet, length) = longCode(bits)
      guard length != 0 else { return nil }
      raw.storeBytes(of: octet, toByteOffset: end, as: UInt8.self)
      end &+= 1
      bits &<<= UInt64(truncatingIfNeeded: length)
      available &-= length
    }
    return decodeEnd(bits, available, into: &raw, at: end)
  }

  /// Decodes the last bits, fewer than the longest code has.
  private static func decodeEnd(
    _ lastBits: UInt64, _ lastAvailable: Int, into output: inout MutableRawSpan, at start: Int
  ) -> Int? {
    var bits = lastBits
    var available = lastAvailable
    var end = start
    while available >= 8 || !isPadding(bits, available) {
      let step = huffmanTables.steps[Int(truncatingIfNeeded: bits &>> UInt64(64 &- HuffmanTables.stepBits))]
      var octet = UInt8(truncatingIfNeeded: step.octets)
      var length = Int(step.firstBits)
      if length == 0 { (octet, length) = longCode(bits) }
      guard length != 0, length <= available else { return nil }
      output.storeBytes(of: octet, toByteOffset: end, as: UInt8.self)
      end &+= 1
      bits &<<= UInt64(truncatingIfNeeded: length)
      available &-= length
    }
    return end
  }

  /// Takes as many bytes as there is room for in the word.
  @inline(__always)
  private static func fill(
    _ bits: inout UInt64, _ available: inout Int, from input: Span<UInt8>, _ position: inout Int
  ) {
    if let word = input.word(at: position) {
      bits |= word.byteSwapped &>> UInt64(truncatingIfNeeded: available)
      let taken = (63 &- available) &>> 3
      position &+= taken
      available &+= taken &* 8
      // Bits of a byte that was not taken as a whole come again.
      bits &= UInt64.max &<< UInt64(truncatingIfNeeded: 64 &- available)
      return
    }
    while available <= 56, position < input.count {
      bits |= UInt64(input[position]) &<< UInt64(truncatingIfNeeded: 56 &- available)
      available &+= 8
      position &+= 1
    }
  }

  /// Whether the last bits, fewer than eight, are ones: the beginning of the code of the end.
  @inline(__always)
  private static func isPadding(_ bits: UInt64, _ available: Int) -> Bool {
    available == 0 || bits == UInt64.max &<< UInt64(truncatingIfNeeded: 64 &- available)
  }

  /// The octet and the length of a code that is too long to be looked up; length 0 for the end of the
  /// string.
  @inline(never)
  private static func longCode(_ bits: UInt64) -> (octet: UInt8, length: Int) {
    let next = bits &>> 32
    var length = HuffmanTables.stepBits &+ 1
    while length <= HuffmanTables.longestCode {
      if next < huffmanTables.limits[length] {
        let code = Int(truncatingIfNeeded: next &>> UInt64(truncatingIfNeeded: 32 &- length))
        let place = code &+ huffmanTables.offsets[length]
        guard place >= 0, place < 257 else { break }
        let symbol = huffmanTables.symbols[place]
        return symbol == HuffmanTables.endOfString ? (0, 0) : (UInt8(truncatingIfNeeded: symbol), length)
      }
      length &+= 1
    }
    return (0, 0)
  }
}

/// Encodes strings with the Huffman code (RFC 7541 §5.2).
enum HuffmanEncoding {
  /// Bytes that a string takes when it is coded.
  static func count(_ input: Span<UInt8>) -> Int {
    let codes = huffmanTables.codes.span
    var bits = 0
    for index in input.indices { bits &+= Int(truncatingIfNeeded: codes[Int(input[index])] &>> 32) }
    return (bits &+ 7) &>> 3
  }

  /// Writes the coded string from `start` on; `output` has room for it.
  static func encode(_ input: Span<UInt8>, into output: inout MutableSpan<UInt8>, at start: Int) {
    let codes = huffmanTables.codes.span
    var end = start
    // Bits that were not written yet, in the low part of the word.
    var bits: UInt64 = 0
    var pending: UInt64 = 0
    for index in input.indices {
      let code = codes[Int(input[index])]
      let length = code &>> 32
      bits = bits &<< length | code & 0xFFFF_FFFF
      pending &+= length
      while pending >= 8 {
        pending &-= 8
        output[end] = UInt8(truncatingIfNeeded: bits &>> pending)
        end &+= 1
      }
    }
    guard pending > 0 else { return }
    output[end] = UInt8(truncatingIfNeeded: bits &<< (8 &- pending) | 0xFF &>> pending)
  }
}
