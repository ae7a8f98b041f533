import Runtime
import Testing

/// Numbers as text, which buffers write by words.
struct BufferTextTests {
  /// Behind other bytes, in a buffer that has to grow for it.
  private func text(_ write: (Buffer) -> Void) -> String {
    let buffer = Buffer(capacity: 3)
    buffer.append("ab")
    write(buffer)
    return String(decoding: buffer.copy(2..<buffer.count), as: UTF8.self)
  }

  /// Around each power of a base, the largest, and some in between.
  private func numbers(base: UInt64) -> [UInt64] {
    var numbers: [UInt64] = [0, .max, .max - 1, 9_876_543_210_123_456_789, 0x0123_4567_89AB_CDEF]
    var power: UInt64 = 1
    while true {
      numbers += [power - 1, power, power + 1, power &* 7, power &* (base - 1)]
      let (next, isTooLarge) = power.multipliedReportingOverflow(by: base)
      if isTooLarge { return numbers }
      power = next
    }
  }

  @Test("Decimal: no zeros in front, all digits, whatever the number")
  func decimal() {
    for number in numbers(base: 10) { #expect(text { $0.append(decimal: number) } == "\(number)") }
  }

  @Test("Hexadecimal: lower case, no zeros in front, or as many as are asked for")
  func hexadecimal() {
    for number in numbers(base: 16) {
      let digits = String(number, radix: 16)
      #expect(text { $0.append(hexadecimal: number) } == digits)
      let all = String(repeating: "0", count: 16 - digits.count) + digits
      #expect(text { $0.append(sixteenHexadecimalDigitsOf: number) } == all)
      let low = UInt32(truncatingIfNeeded: number)
      for count in 0...8 {
        #expect(text { $0.append(hexadecimal: low, digits: count) } == String(all.suffix(count)))
      }
    }
  }

  @Test("RFC 9562 §4: a UUID has groups of 8, 4, 4, 4 and 12 digits")
  func uuid() {
    #expect(
      text { $0.append(uuid: 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210) }
        == "01234567-89ab-cdef-fedc-ba9876543210")
  }

  @Test("Literals and single bytes stand one behind the other")
  func literals() {
    let written = text {
      $0.append("")
      $0.append(UInt8(ascii: "x"))
      $0.append("X-RateLimit-Remaining: ")
      $0.append(decimal: 7)
      $0.append("\r\n")
    }
    #expect(written == "xX-RateLimit-Remaining: 7\r\n")
  }
}
