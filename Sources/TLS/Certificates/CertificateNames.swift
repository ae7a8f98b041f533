/// A worker's certificates by name, in many small tables for the reason that ``HostMap`` gives.
struct CertificateNames {
  private static let tableCount = 256

  private var tables = [[String: CertificateRecord]](repeating: [:], count: tableCount)
  private(set) var count = 0

  subscript(name: String) -> CertificateRecord? { tables[Self.table(name)][name] }

  mutating func set(_ record: CertificateRecord) {
    let name = record.certificate.name
    if tables[Self.table(name)].updateValue(record, forKey: name) == nil { count += 1 }
  }

  mutating func remove(_ record: CertificateRecord) {
    let name = record.certificate.name
    if tables[Self.table(name)].removeValue(forKey: name) != nil { count -= 1 }
  }

  private static func table(_ name: String) -> Int { Int(UInt(bitPattern: name.hashValue) >> 56) }
}
