/// The parameters of a URL's query, each at most once unless the route takes lists.
struct QueryParameters: Sendable {
  private var values: [String: [String]] = [:]

  /// - Parameters:
  ///   - query: without the question mark.
  ///   - names: those that the route knows.
  ///   - lists: those of them that may be repeated.
  init(_ query: String?, names: [String], lists: Set<String> = []) throws(Problem) {
    for part in (query ?? "").split(separator: "&") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let first = pair.first, let name = PercentCoding.decode(first, plusIsSpace: true),
        let value = PercentCoding.decode(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
      else {
        throw Problem(.malformedRequest, "The query has a broken escape, or is not UTF-8.")
      }
      guard names.contains(name) else {
        let known = names.isEmpty ? "there is none here" : "one of \(names.joined(separator: ", "))"
        throw Problem(.malformedRequest, "The parameter \"\(name.prefix(100))\" is unknown: \(known).")
      }
      guard values[name] == nil || lists.contains(name) else {
        throw Problem(.malformedRequest, "The parameter \"\(name)\" is repeated.")
      }
      values[name, default: []].append(value)
    }
  }

  subscript(name: String) -> String? { values[name]?.first }

  func list(_ name: String) -> [String] { values[name] ?? [] }

  /// Nil where it is left out.
  func number<Number: FixedWidthInteger>(
    _ name: String, in range: ClosedRange<Number>
  ) throws(Problem) -> Number? {
    guard let text = self[name] else { return nil }
    guard let number = Number(text), range.contains(number), text.utf8.first.map({ $0 != 0x2B }) ?? false
    else {
      throw Problem(
        .malformedRequest,
        "The parameter \"\(name)\" is a whole number from \(range.lowerBound) to \(range.upperBound).")
    }
    return number
  }

  /// `true` or `false`; false where it is left out.
  func flag(_ name: String) throws(Problem) -> Bool {
    switch self[name] {
    case nil, "false": return false
    case "true": return true
    default: throw Problem(.malformedRequest, "The parameter \"\(name)\" is true or false.")
    }
  }
}
