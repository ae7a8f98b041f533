/// Requests that the parser or a limit refused, by the status that they were answered with.
public struct RefusalCounts: Sendable {
  /// The statuses that are counted apart; all others are counted together, as 0.
  public static let statuses: [UInt16] = [400, 408, 411, 413, 414, 417, 421, 431, 501, 505]

  private var slots = InlineArray<11, UInt64>(repeating: 0)

  public init() {}

  public mutating func record(_ status: UInt16) {
    slots[Self.slot(of: status)] &+= 1
  }

  /// How many had this status; 0 asks for those that are not counted apart.
  public subscript(status: UInt16) -> UInt64 { slots[Self.slot(of: status)] }

  public mutating func add(_ other: RefusalCounts) {
    for index in slots.indices { slots[index] &+= other.slots[index] }
  }

  private static func slot(of status: UInt16) -> Int {
    switch status {
    case 400: 0
    case 408: 1
    case 411: 2
    case 413: 3
    case 414: 4
    case 417: 5
    case 421: 6
    case 431: 7
    case 501: 8
    case 505: 9
    default: 10
    }
  }
}
