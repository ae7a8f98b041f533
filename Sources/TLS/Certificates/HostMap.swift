/// Certificates by host, in many small tables: growing one of them takes microseconds, while growing a
/// single one of 100,000 hosts would stop its worker for tens of milliseconds.
struct HostMap {
  private static let tableCount = 256

  private var tables = [[[UInt8]: [TLSCertificate]]](repeating: [:], count: tableCount)

  /// Empty where there are none.
  subscript(host: [UInt8]) -> [TLSCertificate] {
    tables[Self.index(host)][host] ?? []
  }

  /// Changes what a host has.
  mutating func update(_ host: [UInt8], _ change: (inout [TLSCertificate]) -> Void) {
    let index = Self.index(host)
    change(&tables[index][host, default: []])
    if tables[index][host]?.isEmpty == true { tables[index][host] = nil }
  }

  /// FNV-1a, folded. Whoever configures hosts that share a table harms but that table's growth.
  private static func index(_ host: [UInt8]) -> Int {
    var hash: UInt32 = 2_166_136_261
    for byte in host { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return Int((hash ^ hash >> 16 ^ hash >> 8) % UInt32(tableCount))
  }
}
