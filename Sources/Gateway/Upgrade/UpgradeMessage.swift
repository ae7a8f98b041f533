import DataPlane
import Runtime

/// What the old and the new process say to each other during an upgrade.
///
/// Text, one message each: a word, then what belongs to it. Either process may be of another version of the
/// program than its peer, so the first message names the version of this protocol, and a message that is
/// not understood ends the upgrade (the old process goes on).
///
/// ```
/// old                                 new
/// hello, sockets … ──────────────────▶
///                                     reads its configuration, prepares its workers
///    ◀────────────────────── wantsAdmin
/// closes its admin address
/// adminReleased ─────────────────────▶
///    ◀─────────────────────────── ready
/// proceed ───────────────────────────▶
///                                     accepts connections
///    ◀───────────────────────── serving
/// accepts no more, lets go of the store
/// released ──────────────────────────▶
/// drains, and ends                    may write to the store
/// ```
///
/// In place of any of its messages the new process may say `failed`.
enum UpgradeMessage: Equatable {
  /// Of this protocol.
  static let version = 1

  // From the old process.
  case hello(version: Int, socketCount: Int, hasAdmin: Bool)
  /// Comes with as many descriptors.
  case sockets([Place])
  case adminReleased
  /// The new process is to serve: the old one has no objection any more.
  case proceed
  /// What only one process can have, such as the store, is the new one's.
  case released

  // From the new process.
  case wantsAdmin
  /// Configured. `unused`: sockets, by their number, that no listener of its configuration has.
  case ready(unused: [Int])
  case serving
  /// It is about to end. The reason is for people.
  case failed(String)

  /// Whose a socket is in the old process.
  struct Place: Equatable {
    /// As configured.
    var address: SocketAddress
    var worker: Int
  }
}

extension UpgradeMessage {
  /// Longer reasons are cut.
  private static let reasonBytesMax = 8_192

  var bytes: [UInt8] { Array(text.utf8) }

  private var text: String {
    switch self {
    case .hello(let version, let count, let hasAdmin):
      "hello \(version) \(count) \(hasAdmin ? 1 : 0)"
    case .sockets(let places):
      "sockets\n"
        + places.map { "\($0.address.host) \($0.address.port) \($0.worker)" }.joined(
          separator: "\n")
    case .adminReleased: "admin-released"
    case .proceed: "proceed"
    case .released: "released"
    case .wantsAdmin: "wants-admin"
    case .ready(let unused): (["ready"] + unused.map { "\($0)" }).joined(separator: " ")
    case .serving: "serving"
    case .failed(let reason):
      "failed\n" + String(decoding: reason.utf8.prefix(Self.reasonBytesMax), as: UTF8.self)
    }
  }

  /// - Returns: nil for what this version does not know, or where something is missing or malformed.
  init?(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    let words = lines[0].split(separator: " ", omittingEmptySubsequences: false)
    let rest = lines.count > 1 ? lines[1] : nil
    let numbers = words.dropFirst().map { Self.number($0) }
    switch (String(words[0]), numbers.count, rest) {
    case ("hello", 3..., nil):
      // A later version may say more; its number tells.
      guard let version = numbers[0], let count = numbers[1], let hasAdmin = numbers[2] else {
        return nil
      }
      self = .hello(version: version, socketCount: count, hasAdmin: hasAdmin != 0)
    case ("sockets", 0, let rest?):
      guard let places = Self.places(rest) else { return nil }
      self = .sockets(places)
    case ("admin-released", 0, nil): self = .adminReleased
    case ("proceed", 0, nil): self = .proceed
    case ("released", 0, nil): self = .released
    case ("wants-admin", 0, nil): self = .wantsAdmin
    case ("ready", _, nil):
      let unused = numbers.compactMap(\.self)
      guard unused.count == numbers.count else { return nil }
      self = .ready(unused: unused)
    case ("serving", 0, nil): self = .serving
    case ("failed", 0, let rest?): self = .failed(String(rest))
    default: return nil
    }
  }

  private static func number(_ text: Substring) -> Int? {
    guard let value = Int(text), value >= 0 else { return nil }
    return value
  }

  private static func places(_ text: Substring) -> [Place]? {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let places = lines.compactMap { line -> Place? in
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 3, let port = UInt16(words[1]), let worker = number(words[2]),
        let address = SocketAddress(ip: String(words[0]), port: port)
      else { return nil }
      return Place(address: address, worker: worker)
    }
    return places.count == lines.count ? places : nil
  }
}
