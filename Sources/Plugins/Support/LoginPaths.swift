import DataPlane
import HTTPCodec
import Resources

/// Which paths need a login: the same options for all plugins that ask for one.
///
/// On paths that need none, what a client shows is looked at all the same, so that endpoints learn who calls; what
/// is wrong counts as nothing, so that a page for logging in can be had with a session that is over.
struct LoginPaths: Sendable {
  private struct Entry {
    let path: [UInt8]
    let isExact: Bool
    let needsLogin: Bool
  }

  /// Exact paths first, then the longest prefixes.
  private let entries: [Entry]
  private let otherwise: Bool

  private static let pathsMax = 1_000

  private static let place = [
    PluginOption("prefix", .text("a path"), "A path of whole segments, and all below it."),
    PluginOption("exact", .text("a path"), "This path alone."),
  ]

  static let options = [
    PluginOption(
      "publicPaths", .list(.object(place), maximum: pathsMax),
      "Paths that need no login; who shows one is known there all the same."),
    PluginOption(
      "loginPaths", .list(.object(place), maximum: pathsMax),
      "Paths that need a login; where they are given, others do not. The longest path of both lists counts."),
  ]

  /// Everything needs a login.
  init(_ values: OptionValues) throws(OptionProblem) {
    let entries =
      try Self.read(values, "publicPaths", needsLogin: false)
      + Self.read(values, "loginPaths", needsLogin: true)
    for (index, entry) in entries.enumerated() {
      let isTwice = entries[..<index].contains { $0.path == entry.path && $0.isExact == entry.isExact }
      if isTwice {
        throw OptionProblem(
          entry.needsLogin ? "loginPaths" : "publicPaths",
          "the path \"\(String(decoding: entry.path, as: UTF8.self))\" is listed twice")
      }
    }
    self.entries = entries.sorted { one, other in
      one.isExact == other.isExact ? one.path.count > other.path.count : one.isExact
    }
    otherwise = !values.isGiven("loginPaths")
  }

  private static func read(
    _ values: OptionValues, _ option: String, needsLogin: Bool
  ) throws(OptionProblem) -> [Entry] {
    var entries: [Entry] = []
    for (index, place) in values.objects(option).enumerated() {
      let at = "\(option)[\(index)]"
      switch (place.text("prefix"), place.text("exact")) {
      case (let prefix?, nil):
        let path = try NormalPath.read(prefix, option: at + ".prefix")
        entries.append(Entry(path: path, isExact: false, needsLogin: needsLogin))
      case (nil, let exact?):
        let path = try NormalPath.read(exact, option: at + ".exact")
        entries.append(Entry(path: path, isExact: true, needsLogin: needsLogin))
      default:
        throw OptionProblem(at, "one of prefix and exact is needed", hint: "such as {prefix: /static}")
      }
    }
    return entries
  }

  func needLogin(_ path: Span<UInt8>) -> Bool {
    if Self.isAmbiguous(path) { return true }
    for entry in entries where Self.matches(entry, path) { return entry.needsLogin }
    return otherwise
  }

  /// Some services see other segments in it than are written: `/static/..;/admin`, `/static/..%2Fadmin`.
  private static func isAmbiguous(_ path: Span<UInt8>) -> Bool {
    for index in path.indices {
      if path[index] == UInt8(ascii: ";") { return true }
      guard path[index] == UInt8(ascii: "%"), index + 2 < path.count else { continue }
      let digits = (path[index + 1], path[index + 2].asciiLowercased)
      // "/", "\\" and ";".
      if digits == (0x32, 0x66) || digits == (0x35, 0x63) || digits == (0x33, 0x62) { return true }
    }
    return false
  }

  private static func matches(_ entry: Entry, _ path: Span<UInt8>) -> Bool {
    let wanted = entry.path
    guard path.count >= wanted.count else { return false }
    for index in wanted.indices where path[index] != wanted[index] { return false }
    if path.count == wanted.count { return true }
    return !entry.isExact && (wanted.last == UInt8(ascii: "/") || path[wanted.count] == UInt8(ascii: "/"))
  }

  /// What becomes of a request that shows nothing, or something wrong.
  func verdict(_ exchange: Exchange, _ refusal: PluginAnswer) -> PluginVerdict {
    if entries.isEmpty, otherwise { return .answer(refusal) }
    return exchange.withPath { needLogin($0) } ? .answer(refusal) : .next
  }
}
