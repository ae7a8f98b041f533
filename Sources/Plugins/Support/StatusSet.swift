/// Statuses, a bit for each.
struct StatusSet: Sendable, Equatable {
  /// Of statuses up to 639: there are none above 599.
  private var bits: [UInt64] = Array(repeating: 0, count: 10)

  init(_ statuses: some Sequence<Int>) {
    for status in statuses { bits[status / 64] |= 1 << UInt64(status % 64) }
  }

  var isEmpty: Bool { bits.allSatisfy { $0 == 0 } }

  func contains(_ status: UInt16) -> Bool {
    status < 640 && bits[Int(status &>> 6)] &>> UInt64(status & 63) & 1 == 1
  }
}
