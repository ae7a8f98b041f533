import DataPlane
import Resources
import Runtime
import TLS

/// What plugins that ask who calls have in common.
enum AuthenticationOptions {
  static let anonymous = PluginOption(
    "anonymous", .text("a consumer's name"),
    "The consumer that requests without credentials pass as; where this is left out, they are refused.")
  static let realm = PluginOption(
    "realm", .fieldValue, "What the challenge names as the realm (RFC 9110 §11.5).")

  /// The line with which a 401 says what it asks for.
  static func challenge(_ scheme: String, realm: String?, parameters: String = "") -> [UInt8] {
    var parts: [String] = []
    if let realm { parts.append("realm=\"\(quoted(realm))\"") }
    if !parameters.isEmpty { parts.append(parameters) }
    let rest = parts.isEmpty ? "" : " " + parts.joined(separator: ", ")
    return Array("WWW-Authenticate: \(scheme)\(rest)\r\n".utf8)
  }

  /// As within a quoted string (RFC 9110 §5.6.4).
  private static func quoted(_ text: String) -> String {
    String(text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] })
  }
}

/// Requests without credentials, where they may pass as a consumer.
enum Anonymous {
  private static let line = Array("X-Anonymous-Consumer: true\r\n".utf8)

  /// Nil where they may not.
  static func pass(
    _ exchange: Exchange, _ name: String?, _ consumers: ConsumerTable
  ) throws(PluginFailure) -> PluginVerdict? {
    guard let name else { return nil }
    // Another plugin knows who calls.
    if exchange.consumer != nil { return .next }
    guard let found = consumers.consumer(named: name) else {
      throw PluginFailure("there is no consumer \(name), which requests without credentials pass as")
    }
    exchange.identify(found)
    exchange.addRequestLines(line)
    return .next
  }
}

/// Secrets that were found right before, so that they need not be digested again. Bounded; of one worker.
///
/// What is compared is all of a secret, in constant time. A consumer's credential that is changed or removed is
/// no longer found, from the same moment on as elsewhere.
struct KnownSecrets {
  private struct Known {
    var secret: [UInt8] = []
    var found: FoundCredential?
    // Of as many as there are, no cache holds more than a few, and one would be waited for after the other.
    var foundPlace = MemoryPlace.nowhere
    var consumerPlace = MemoryPlace.nowhere

    init() {}

    init(_ secret: [UInt8], _ found: FoundCredential) {
      self.secret = secret
      self.found = found
      foundPlace = MemoryPlace(of: found)
      consumerPlace = MemoryPlace(of: found.consumer)
    }
  }

  private var known = HashedTable(empty: Known())
  /// Some 200 bytes each; above that, all are forgotten.
  private static let countMax = 20_000

  mutating func find(_ secret: Span<UInt8>, _ consumers: ConsumerTable) -> FoundCredential? {
    let hash = Self.hash(secret)
    guard let slot = known.slot(of: hash) else { return nil }
    known[slot].foundPlace.prepare(bytes: 64)
    known[slot].consumerPlace.prepare(bytes: 64)
    guard ConstantTime.areEqual(secret, known[slot].secret), let found = known[slot].found else { return nil }
    if consumers.isCurrent(found) { return found }
    known.remove(hash)
    return nil
  }

  mutating func remember(_ secret: [UInt8], _ found: FoundCredential) {
    if known.count >= Self.countMax { known.removeAll() }
    let slot = known.slot(of: Self.hash(secret.span), orInsert: Known())
    known[slot] = Known(secret, found)
  }

  private static func hash(_ secret: Span<UInt8>) -> Int {
    Int(truncatingIfNeeded: KeyHash.of(secret))
  }
}
