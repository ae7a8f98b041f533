import HTTPTypes
import Hummingbird
import Resources

/// What a request's fields ask for.
enum RequestFields {
  // MARK: Conditions (RFC 9110 §13.1)

  /// The condition of a change.
  static func condition(_ headers: HTTPFields) throws(Problem) -> ResourceOperation.Condition? {
    switch (headers[.ifMatch], headers[.ifNoneMatch]) {
    case (nil, nil): return nil
    case (let match?, nil):
      if isAny(match) { return .exists }
      return .revision(try entityTags(match, field: "If-Match").filter { !$0.isWeak }.map(\.revision))
    case (nil, let noMatch?):
      guard isAny(noMatch) else {
        throw Problem(.malformedRequest, "With a change, If-None-Match can only be *: nothing exists yet.")
      }
      return .isAbsent
    case (.some, .some):
      throw Problem(.malformedRequest, "If-Match and If-None-Match exclude each other.")
    }
  }

  /// Whether a reader has this revision already: 304.
  static func isKnown(_ revision: UInt64, _ headers: HTTPFields) throws(Problem) -> Bool {
    guard let field = headers[.ifNoneMatch] else { return false }
    if isAny(field) { return true }
    return try entityTags(field, field: "If-None-Match").contains { $0.revision == revision }
  }

  static func entityTag(_ revision: UInt64) -> String { "\"\(revision)\"" }

  private struct EntityTag {
    var revision: UInt64
    var isWeak: Bool
  }

  private static func isAny(_ field: String) -> Bool { trim(field[...]) == "*" }

  /// Those that could be ours; a tag that is no number matches nothing.
  private static func entityTags(_ list: String, field: String) throws(Problem) -> [EntityTag] {
    var tags: [EntityTag] = []
    for item in list.split(separator: ",") {
      var text = trim(item)
      let isWeak = text.hasPrefix("W/")
      if isWeak { text = text.dropFirst(2) }
      guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else {
        throw Problem(.malformedRequest, "\(field) is *, or a list of entity tags such as \"17\" in quotes.")
      }
      if let revision = UInt64(text.dropFirst().dropLast()) {
        tags.append(EntityTag(revision: revision, isWeak: isWeak))
      }
    }
    return tags
  }

  // MARK: Prefer (RFC 7240)

  /// How long the answer may wait for the workers; nil: not at all. Preferences that make no sense are
  /// ignored (§2).
  ///
  /// - Parameter longest: also for `wait` without a time.
  static func wait(_ headers: HTTPFields, longest: Duration) -> Duration? {
    for field in headers[values: .prefer] {
      for item in field.split(separator: ",") {
        let preference = item.prefix { $0 != ";" }
        let pair = preference.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(trim)
        guard pair.first?.lowercased() == "wait" else { continue }
        guard pair.count > 1, !pair[1].isEmpty else { return longest }
        guard let seconds = UInt32(pair[1].filter { $0 != "\"" }) else { return nil }
        return min(longest, .seconds(Int64(seconds)))
      }
    }
    return nil
  }

  // MARK: Media types

  /// The type of a request's content without parameters, lower case; nil where it says nothing.
  static func mediaType(_ headers: HTTPFields) throws(Problem) -> String? {
    if let coding = headers[.contentEncoding], coding.lowercased() != "identity" {
      throw Problem(.unsupportedMediaType, "The content has the coding \"\(coding)\"; send it as it is.")
    }
    guard let field = headers[.contentType] else { return nil }
    if isPlainType(field) { return field }
    let parts = field.split(separator: ";").map { trim($0).lowercased() }
    for parameter in parts.dropFirst() where parameter.hasPrefix("charset=") {
      guard ["utf-8", "utf8"].contains(parameter.dropFirst(8).filter({ $0 != "\"" })) else {
        throw Problem(.unsupportedMediaType, "The content is in \(parameter.dropFirst(8)); send UTF-8.")
      }
    }
    return parts.first
  }

  /// Whether it is a type as most clients write it: in lower case, without parameters.
  private static func isPlainType(_ field: String) -> Bool {
    !field.isEmpty
      && field.utf8.allSatisfy { byte in
        (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "-")
      }
  }

  /// Whether `Accept` lets an answer of this type pass (RFC 9110 §12.5.1).
  static func accepts(_ type: String, _ headers: HTTPFields) -> Bool {
    guard headers.contains(.accept) else { return true }
    let group = type.prefix { $0 != "/" } + "/*"
    return headers[values: .accept].flatMap { $0.split(separator: ",") }.contains { item in
      let parts = item.split(separator: ";").map { trim($0).lowercased() }
      let isRefused = parts.dropFirst().contains { ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains($0) }
      return !isRefused && [type, String(group), "*/*"].contains(parts.first)
    }
  }

  private static func trim(_ text: Substring) -> Substring {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
