/// Field lines that are written for each request.
extension [UInt8] {
  /// A text and a number that is not negative.
  mutating func append(_ text: String, decimal number: Int) {
    append(contentsOf: text.utf8)
    append(decimal: number)
  }

  mutating func append(decimal number: Int) {
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var count = 0
    var rest = UInt64(Swift.max(0, number))
    repeat {
      digits[count] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
      count += 1
    } while rest > 0
    while count > 0 {
      count -= 1
      append(digits[count])
    }
  }

  mutating func endLine() {
    append(13)
    append(10)
  }
}
