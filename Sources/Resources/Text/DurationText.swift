/// Durations as a file holds them: `500ms`, `2s`, `1m30s`, `1h`, `30d`.
enum DurationText {
  /// Why a text is not a duration.
  enum Failure: Error, Equatable {
    /// Digits alone: seconds for one reader, milliseconds for the next.
    case unitMissing
    case malformed
    case tooLong
  }

  /// 30 days: above that, a typing error is likelier than an intention.
  static let longest = Duration.seconds(30 * 24 * 3_600)

  private static let units: [(name: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
  ]

  /// Whole numbers with a unit, from the largest unit to the smallest, each at most once.
  static func parse(_ text: String, longest: Duration = longest) throws(Failure) -> Duration {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { throw .malformed }
    if bytes.allSatisfy(isDigit) { throw .unitMissing }
    var position = 0
    var unitsLeft = units[...]
    var total: Int64 = 0
    while position < bytes.count {
      let digits = bytes[position...].prefix(while: isDigit)
      position += digits.count
      let letters = bytes[position...].prefix { !isDigit($0) }
      position += letters.count
      guard let number = decimal(digits) else { throw digits.isEmpty ? .malformed : .tooLong }
      let name = String(decoding: letters, as: UTF8.self)
      guard let unit = unitsLeft.firstIndex(where: { $0.name == name }) else { throw .malformed }
      let (product, overflowed) = number.multipliedReportingOverflow(by: unitsLeft[unit].milliseconds)
      let (sum, carried) = total.addingReportingOverflow(product)
      guard !overflowed, !carried else { throw .tooLong }
      total = sum
      unitsLeft = unitsLeft[(unit + 1)...]
    }
    guard .milliseconds(total) <= longest else { throw .tooLong }
    return .milliseconds(total)
  }

  /// The largest single unit that gives a whole number; parts of a millisecond are dropped.
  static func format(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    if milliseconds == 0 { return "0s" }
    for unit in units where milliseconds.isMultiple(of: unit.milliseconds) {
      return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
    return "\(milliseconds)ms"
  }
}

/// Sizes as a file holds them: `16KiB`, `64kB`, `1MiB`, or bytes as a plain number.
enum SizeText {
  private static let units: [(name: String, bytes: UInt64)] = [
    ("", 1), ("b", 1),
    ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
    ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40),
  ]

  /// Bytes, or `nil`. The case of letters does not count: nobody means millibits.
  static func parse(_ text: String) -> UInt64? {
    let bytes = Array(text.utf8)
    let digits = bytes.prefix(while: isDigit)
    let name = String(decoding: bytes[digits.count...], as: UTF8.self).lowercased()
    guard let number = decimal(digits), let unit = units.first(where: { $0.name == name }) else { return nil }
    let (product, overflowed) = UInt64(number).multipliedReportingOverflow(by: unit.bytes)
    return overflowed ? nil : product
  }

  /// The largest binary unit that gives a whole number.
  static func format(_ bytes: UInt64) -> String {
    for (name, unit) in [("TiB", UInt64(1) << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    where bytes > 0 && bytes.isMultiple(of: unit) {
      return "\(bytes / unit)\(name)"
    }
    return "\(bytes)"
  }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

/// A number of 1 to 18 digits: what an `Int64` holds without a check for each digit.
func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
  guard (1...18).contains(digits.count), digits.allSatisfy(isDigit) else { return nil }
  return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
}
