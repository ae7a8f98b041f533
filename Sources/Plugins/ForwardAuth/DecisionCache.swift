import DataPlane
import Runtime

/// What a service has said of requests, for some time, on one worker. Bounded.
struct DecisionCache {
  /// Above that, those that are over are forgotten, or else all.
  static let countMax = 10_000
  /// The same for what they take together: who makes keys up must not fill the memory with them.
  static let bytesMax = 16 << 20
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

    /// About what it takes of memory.
    func bytes(_ key: [UInt8]) -> Int {
      let own = 256 + key.count
      return switch decision {
      case .pass(let request, let response): own + request.count + response.count
      case .refuse(let answer): own + answer.content.count + answer.lines.count
      }
    }
  }

  private var entries: [[UInt8]: Entry] = [:]
  private(set) var byteCount = 0

  var count: Int { entries.count }

  mutating func decision(for key: [UInt8], at now: MonotonicTime) -> Decision? {
    guard let entry = entries[key] else { return nil }
    if now < entry.until { return entry.decision }
    forget(key)
    return nil
  }

  /// - until: Not in the past.
  mutating func remember(_ decision: Decision, for key: [UInt8], until: MonotonicTime, now: MonotonicTime) {
    guard key.count <= Self.keyBytesMax, Self.mayBeShared(decision) else { return }
    forget(key)
    let entry = Entry(decision: decision, until: until)
    let bytes = entry.bytes(key)
    if entries.count >= Self.countMax || byteCount + bytes > Self.bytesMax { makeRoom(now) }
    guard byteCount + bytes <= Self.bytesMax else { return }
    entries[key] = entry
    byteCount += bytes
  }

  private mutating func forget(_ key: [UInt8]) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    byteCount -= entry.bytes(key)
  }

  private mutating func makeRoom(_ now: MonotonicTime) {
    entries = entries.filter { now < $0.value.until }
    byteCount = entries.reduce(0) { $0 + $1.value.bytes($1.key) }
    // When most are in use, the next look would be right behind this one.
    guard entries.count > Self.countMax / 2 || byteCount > Self.bytesMax / 2 else { return }
    entries = [:]
    byteCount = 0
  }

  /// Cookies that are set are one client's.
  static func mayBeShared(_ decision: Decision) -> Bool {
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
