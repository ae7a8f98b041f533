import Runtime
import Testing

@Suite("Digits that buffers are given")
struct DigitsTests {
  private func text(_ append: (Buffer) -> Void) -> String {
    let buffer = Buffer(capacity: 1)
    append(buffer)
    return String(decoding: buffer.copy(0..<buffer.count), as: UTF8.self)
  }

  @Test("decimals around every power of ten, and the greatest")
  func decimals() {
    var power: UInt64 = 1
    for _ in 0..<20 {
      for value in [power - 1, power, power + 1] { #expect(text { $0.append(decimal: value) } == "\(value)") }
      power = power.multipliedReportingOverflow(by: 10).partialValue
    }
    #expect(text { $0.append(decimal: .max) } == "18446744073709551615")
  }

  @Test("hexadecimal digits: as many as are asked for, from the right")
  func hexadecimal() {
    let wanted = ["", "f", "bf", "abf", "6abf", "96abf", "896abf", "0896abf", "d0896abf"]
    for digits in 0...8 {
      #expect(text { $0.append(hexadecimal: 0xD089_6ABF, digits: digits) } == wanted[digits])
    }
    #expect(
      text {
        $0.append("a")
        $0.append(hexadecimal: 0x12, digits: 4)
        $0.append("b")
      } == "a0012b")
  }
}
