/// The cyclic redundancy check of RFC 3720 §B.4 (Castagnoli): finds what a disk or a crash has made of a file.
struct CRC32C {
  private var state: UInt32 = .max

  var value: UInt32 { ~state }

  mutating func update(_ bytes: Span<UInt8>) {
    let tables = Self.tables
    let table = tables.span
    var crc = state
    var position = 0
    // Eight bytes at once: a table for each place.
    while position &+ 8 <= bytes.count {
      let low = crc ^ Self.word(bytes, position)
      let high = Self.word(bytes, position &+ 4)
      crc = table[Int(1_792 | low & 0xFF)] ^ table[Int(1_536 | low >> 8 & 0xFF)]
      crc ^= table[Int(1_280 | low >> 16 & 0xFF)] ^ table[Int(1_024 | low >> 24)]
      crc ^= table[Int(768 | high & 0xFF)] ^ table[Int(512 | high >> 8 & 0xFF)]
      crc ^= table[Int(256 | high >> 16 & 0xFF)] ^ table[Int(high >> 24)]
      position &+= 8
    }
    while position < bytes.count {
      crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[position])) & 0xFF)]
      position &+= 1
    }
    state = crc
  }

  static func of(_ bytes: Span<UInt8>) -> UInt32 {
    var check = CRC32C()
    check.update(bytes)
    return check.value
  }

  private static func word(_ bytes: Span<UInt8>, _ position: Int) -> UInt32 {
    UInt32(bytes[position]) | UInt32(bytes[position &+ 1]) << 8 | UInt32(bytes[position &+ 2]) << 16
      | UInt32(bytes[position &+ 3]) << 24
  }

  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 2_048)
    for byte in 0..<256 {
      var crc = UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
      tables[byte] = crc
    }
    for index in 256..<2_048 {
      let before = tables[index - 256]
      tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
    }
    return tables
  }()
}
