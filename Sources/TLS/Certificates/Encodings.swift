/// As much of DER as it takes to tell one certificate from the next.
enum DER {
  /// Bytes of the element that begins at `start`, with its head; nil where it is cut short, or none.
  static func elementCount(_ bytes: Span<UInt8>, at start: Int) -> Int? {
    guard start >= 0, bytes.count - start >= 2 else { return nil }
    let first = bytes[start + 1]
    var head = 2
    var count = Int(first)
    if first >= 0x80 {
      // Of four bytes at most: what is longer is no certificate.
      let lengthBytes = Int(first & 0x7f)
      guard (1...4).contains(lengthBytes), bytes.count - start >= 2 + lengthBytes else { return nil }
      count = 0
      for index in 0..<lengthBytes { count = count << 8 | Int(bytes[start + 2 + index]) }
      head += lengthBytes
    }
    return count <= bytes.count - start - head ? head + count : nil
  }
}

/// RFC 7468.
enum PEM {
  private static let lineBytes = 64

  static func certificate(_ der: Span<UInt8>) -> String {
    let encoded = Base64.encode(der)
    var text = "-----BEGIN CERTIFICATE-----\n"
    for start in stride(from: 0, to: encoded.count, by: lineBytes) {
      text += String(decoding: encoded[start..<min(start + lineBytes, encoded.count)], as: UTF8.self) + "\n"
    }
    return text + "-----END CERTIFICATE-----\n"
  }
}

/// RFC 4648 §4.
enum Base64 {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var group = 0
      for index in 0..<3 { group = group << 8 | (index < count ? Int(bytes[start + index]) : 0) }
      for index in 0..<4 { text.append(index <= count ? digits[group >> (18 - 6 * index) & 63] : padding) }
    }
    return text
  }

  /// - Returns: nil for what is not base64 with its padding.
  static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    for start in stride(from: 0, to: text.count, by: 4) {
      var group = 0
      var count = 0
      for index in 0..<4 {
        let isPadding = text[start + index] == padding
        // One or two, and only at the end.
        if isPadding ? index < 2 || start + 4 < text.count : count < index { return nil }
        guard let digit = isPadding ? 0 : digits.firstIndex(of: text[start + index]) else { return nil }
        group = group << 6 | digit
        if !isPadding { count += 1 }
      }
      for index in 0..<count - 1 { bytes.append(UInt8(truncatingIfNeeded: group >> (16 - 8 * index))) }
    }
    return bytes
  }
}
