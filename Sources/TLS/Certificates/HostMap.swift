/// A certificate as one worker's table has it.
final class CertificateRecord {
  enum Phase: UInt8 {
    case settled
    /// Comes with the change that is being made.
    case arriving
    /// Goes with it.
    case leaving
  }

  let certificate: TLSCertificate
  /// Numbers of the listeners that show it; empty: all.
  let listeners: [Int]
  var phase = Phase.arriving
  /// The one of its name that it replaces, until the change is done.
  var predecessor: CertificateRecord?

  init(_ certificate: TLSCertificate, listeners: [Int]) {
    self.certificate = certificate
    self.listeners = listeners
  }

  func isShown(by listener: Int) -> Bool { listeners.isEmpty || listeners.contains(listener) }
}

/// Certificates by host, in many small tables with open addressing: growing one of them takes
/// microseconds, while growing a single one of 100,000 hosts would stop its worker for milliseconds.
///
/// A host costs 16 bytes of a slot, at a load of 3/8 to 3/4; its text is the certificate's own.
struct HostMap {
  private static let tableCount = 256

  fileprivate struct Slot {
    var hash: UInt32 = 0
    /// Which of the certificate's hosts.
    var host: UInt32 = 0
    /// Nil where the slot is empty.
    var record: CertificateRecord?
  }

  fileprivate struct Table {
    var slots: [Slot] = []
    var count = 0
  }

  private var tables = [Table](repeating: Table(), count: tableCount)
  private(set) var count = 0

  /// Calls `body` with every certificate for a host.
  func forEach(_ host: Span<UInt8>, _ body: (CertificateRecord) -> Void) {
    let hash = Self.hash(host)
    let slots = tables[Self.table(hash)].slots
    guard !slots.isEmpty else { return }
    let short = UInt32(truncatingIfNeeded: hash)
    var index = Int(short) & (slots.count - 1)
    while let record = slots[index].record {
      if slots[index].hash == short, Self.isHost(Int(slots[index].host), of: record.certificate, host) {
        body(record)
      }
      index = (index + 1) & (slots.count - 1)
    }
  }

  /// Adds a certificate under each of its hosts.
  mutating func insert(_ record: CertificateRecord) {
    let archive = record.certificate.archive
    for number in archive.hostIndices {
      let hash = Self.hash(Self.key(archive.host(number)))
      let slot = Slot(
        hash: UInt32(truncatingIfNeeded: hash), host: UInt32(truncatingIfNeeded: number), record: record)
      tables[Self.table(hash)].insert(slot)
      count += 1
    }
  }

  mutating func remove(_ record: CertificateRecord) {
    let archive = record.certificate.archive
    for number in archive.hostIndices {
      let hash = Self.hash(Self.key(archive.host(number)))
      tables[Self.table(hash)].remove(record, host: number, hash: UInt32(truncatingIfNeeded: hash))
      count -= 1
    }
  }

  // MARK: Keys

  /// What is looked up: a wildcard is kept as what follows its star, `.example.com`, which no host
  /// begins with.
  @_lifetime(copy host)
  private static func key(_ host: Span<UInt8>) -> Span<UInt8> {
    host.count > 0 && host[0] == UInt8(ascii: "*") ? host.extracting(droppingFirst: 1) : host
  }

  private static func isHost(_ number: Int, of certificate: TLSCertificate, _ text: Span<UInt8>) -> Bool {
    let archive = certificate.archive
    let key = key(archive.host(number))
    guard key.count == text.count else { return false }
    for index in key.indices where key[index] != text[index] { return false }
    return true
  }

  /// With the process's random seed, so that nobody can choose hosts that collide.
  private static func hash(_ host: Span<UInt8>) -> UInt64 {
    var hasher = Hasher()
    var word: UInt64 = 0
    for index in host.indices {
      word = word << 8 | UInt64(host[index])
      if index & 7 == 7 { hasher.combine(word) }
    }
    hasher.combine(word)
    hasher.combine(host.count)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  private static func table(_ hash: UInt64) -> Int { Int(hash >> 56) }
}

extension HostMap.Table {
  fileprivate mutating func insert(_ slot: HostMap.Slot) {
    if (count + 1) * 4 > slots.count * 3 { resize(to: max(4, slots.count * 2)) }
    place(slot)
    count += 1
  }

  fileprivate mutating func remove(_ record: CertificateRecord, host: Int, hash: UInt32) {
    guard !slots.isEmpty else { return }
    let mask = slots.count - 1
    var index = Int(hash) & mask
    while let found = slots[index].record {
      if found === record, slots[index].host == UInt32(truncatingIfNeeded: host) {
        closeGap(at: index)
        count -= 1
        // Half as large when three quarters are empty, so that what a burst took is given back.
        if slots.count > 4, count * 16 < slots.count * 3 { resize(to: slots.count / 2) }
        return
      }
      index = (index + 1) & mask
    }
  }

  private mutating func place(_ slot: HostMap.Slot) {
    let mask = slots.count - 1
    var index = Int(slot.hash) & mask
    while slots[index].record != nil { index = (index + 1) & mask }
    slots[index] = slot
  }

  private mutating func resize(to slotCount: Int) {
    let old = slots
    slots = Array(repeating: HostMap.Slot(), count: slotCount)
    for slot in old where slot.record != nil { place(slot) }
  }

  /// Moves entries back over a removed one, so that probing never meets a gap (Knuth 6.4, R).
  private mutating func closeGap(at removed: Int) {
    let mask = slots.count - 1
    var gap = removed
    var index = removed
    while true {
      index = (index + 1) & mask
      if slots[index].record == nil { break }
      let home = Int(slots[index].hash) & mask
      if (index - home) & mask < (index - gap) & mask { continue }
      slots[gap] = slots[index]
      gap = index
    }
    slots[gap] = HostMap.Slot()
  }
}
