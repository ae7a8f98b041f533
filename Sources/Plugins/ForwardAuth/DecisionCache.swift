import DataPlane
import Runtime

/// What a service has said of requests, for some time, on one worker. Bounded.
struct DecisionCache {
  /// Some KiB each; above that, those that are over are forgotten, or else all.
  static let countMax = 10_000
  /// Longer keys are not worth their room.
  static let keyBytesMax = 8_192
  /// Refusals with more content are not remembered.
  static let contentBytesMax = 8_192

  enum Decision {
    /// - request: Lines that go on with the request. response: Lines for the client.
    case pass(request: [UInt8], response: [UInt8])
    case refuse(PluginAnswer)
  }

  private struct Entry {
    let decision: Decision
    let until: MonotonicTime
  }

  private var entries: [[UInt8]: Entry] = [:]

  var count: Int { entries.count }

  mutating func decision(for key: [UInt8], at now: MonotonicTime) -> Decision? {
    guard let entry = entries[key] else { return nil }
    if now < entry.until { return entry.decision }
    entries[key] = nil
    return nil
  }

  /// - until: Not in the past.
  mutating func remember(_ decision: Decision, for key: [UInt8], until: MonotonicTime, now: MonotonicTime) {
    guard key.count <= Self.keyBytesMax, Self.mayBeShared(decision) else { return }
    if entries.count >= Self.countMax, entries[key] == nil {
      entries = entries.filter { now < $0.value.until }
      // When most are in use, the next look would be right behind this one.
      if entries.count > Self.countMax / 2 { entries = [:] }
    }
    entries[key] = Entry(decision: decision, until: until)
  }

  /// Cookies that are set are one client's.
  private static func mayBeShared(_ decision: Decision) -> Bool {
    switch decision {
    case .pass(_, let response): !names(setCookie, in: response)
    case .refuse(let answer):
      answer.content.count <= contentBytesMax && !names(setCookie, in: answer.lines)
    }
  }

  private static let setCookie = FieldNames(["set-cookie"])

  private static func names(_ names: FieldNames, in lines: [UInt8]) -> Bool {
    var cursor = LineCursor()
    while let field = cursor.next(in: lines.span) {
      if names.contains(field.name, in: lines.span) { return true }
    }
    return false
  }
}
