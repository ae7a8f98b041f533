import DataPlane
import HTTPCodec
import Resources

extension Rewrite: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { RewritePlugin(self) }
}

final class RewritePlugin: Plugin {
  private let settings: Rewrite
  private let expressions: [(match: MatchedPath, to: TextTemplate)]
  /// Where nothing else of path and query changes.
  private let prefixChange: (from: [UInt8], to: [UInt8])?
  private let invalid = PluginAnswer(400, "The request's path is not one that can be served.")
  private let tooLong = PluginAnswer(414, "The request target is too long.")
  /// Of path and query: what templates make of a long path is longer by far.
  private static let targetBytesMax = 65_536

  init(_ settings: Rewrite) {
    self.settings = settings
    if case .prefix(let from, let to) = settings.path, from != to, settings.parameters.isEmpty,
      settings.removedParameters.isEmpty
    {
      prefixChange = (from, to)
    } else {
      prefixChange = nil
    }
    if case .expressions(let expressions) = settings.path {
      self.expressions = expressions.compactMap { one in MatchedPath(one.pattern).map { ($0, one.to) } }
    } else {
      expressions = []
    }
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if let host = settings.host { exchange.rewriteHost(host) }
    // `OPTIONS *` is about the server, and not about a path of it.
    guard exchange.request.targetForm != .asterisk else { return .next }
    if let (from, to) = prefixChange, !exchange.hasRewrittenTarget {
      return replacePrefix(from, by: to, exchange)
    }
    let target = RequestTargetText(exchange.target())
    var rewritten = target
    if let path = path(for: target.path, exchange) { rewritten.replacePath(by: path) }
    if !settings.removedParameters.isEmpty { rewritten.removeParameters(settings.removedParameters) }
    for parameter in settings.parameters {
      rewritten.addParameter(parameter.name, URIText.encode(parameter.value.text(of: exchange, .none)))
    }
    guard rewritten != target else { return .next }
    guard rewritten.normalisePath() else { return .answer(invalid) }
    let text = rewritten.text
    guard text.count <= Self.targetBytesMax else { return .answer(tooLong) }
    exchange.rewriteTarget(text)
    return .next
  }

  /// The usual case, in place: path and query are the client's, and all that changes is the path's beginning. What
  /// stands behind it begins with a slash and is normal, and so is what comes of it.
  private func replacePrefix(_ from: [UInt8], by to: [UInt8], _ exchange: Exchange) -> PluginVerdict {
    let pathBytes = exchange.withPath { path in
      let hasPrefix =
        path.count >= from.count && path.extracting(first: from.count).equals(from)
        && (path.count == from.count || path[from.count] == UInt8(ascii: "/"))
      return hasPrefix ? path.count : 0
    }
    if pathBytes == 0 { return .next }
    let new = to.isEmpty && pathBytes == from.count ? Self.root : to
    guard new.count + pathBytes - from.count + exchange.request.query.range.count < Self.targetBytesMax else {
      return .answer(tooLong)
    }
    exchange.rewriteTarget(prefix: new, pathFrom: from.count)
    return .next
  }

  private static let root = [UInt8(ascii: "/")]

  /// What stands in its place, with a query where that has one; nil: it stays.
  private func path(for path: [UInt8], _ exchange: Exchange) -> [UInt8]? {
    switch settings.path {
    case .asItIs: return nil
    case .prefix(let from, let to):
      guard path.starts(with: from), path.count == from.count || path[from.count] == UInt8(ascii: "/") else {
        return nil
      }
      let rest = path[from.count...]
      return to.isEmpty && rest.isEmpty ? [UInt8(ascii: "/")] : to + rest
    case .text(let text): return text.text(of: exchange, .uri)
    case .expressions:
      for (match, to) in expressions {
        guard let groups = match.groups(in: path) else { continue }
        return to.text(of: exchange, .uri, matched: path, groups: groups)
      }
      return nil
    }
  }
}

/// Path and query of a request, as they are sent.
struct RequestTargetText: Equatable {
  private(set) var path: [UInt8]
  /// Nil where there is no question mark.
  private(set) var query: [UInt8]?

  init(_ target: [UInt8]) {
    let mark = target.firstIndex(of: UInt8(ascii: "?"))
    path = Array(target[..<(mark ?? target.count)])
    query = mark.map { Array(target[($0 + 1)...]) }
  }

  var text: [UInt8] {
    guard let query else { return path }
    return path + [UInt8(ascii: "?")] + query
  }

  /// - text: A path; the query that it may have comes before the one that is there.
  mutating func replacePath(by text: [UInt8]) {
    let new = RequestTargetText(text)
    path = new.path.first == UInt8(ascii: "/") ? new.path : [UInt8(ascii: "/")] + new.path
    guard let first = new.query, !first.isEmpty else { return }
    guard let rest = query, !rest.isEmpty else {
      query = first
      return
    }
    query = first + [UInt8(ascii: "&")] + rest
  }

  /// - names: Decoded.
  mutating func removeParameters(_ names: [[UInt8]]) {
    guard let query else { return }
    let kept = query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false).filter { pair in
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      return !names.contains(Self.decoded(pair[..<end]))
    }
    self.query = kept.isEmpty ? nil : Array(kept.joined(separator: [UInt8(ascii: "&")]))
  }

  /// - name, value: Encoded.
  mutating func addParameter(_ name: [UInt8], _ value: [UInt8]) {
    var text = query ?? []
    if !text.isEmpty { text.append(UInt8(ascii: "&")) }
    text += name
    text.append(UInt8(ascii: "="))
    text += value
    query = text
  }

  /// Brings the path to the form of requests' paths, in which it can only be read in one way.
  /// - Returns: false where it is no path.
  mutating func normalisePath() -> Bool {
    var canonical: [UInt8] = []
    let path = path
    do throws(HTTP1Error) {
      if try PathNormaliser.normalise(path.span, into: &canonical) { self.path = canonical }
    } catch {
      return false
    }
    return true
  }

  /// A percent sign without two digits stands for itself, as where routes are matched.
  private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var decoded: [UInt8] = []
    var position = text.startIndex
    while position < text.endIndex {
      if text[position] == UInt8(ascii: "%"), position + 2 < text.endIndex,
        let high = text[position + 1].hexDigitValue, let low = text[position + 2].hexDigitValue
      {
        decoded.append(high << 4 | low)
        position += 3
      } else {
        decoded.append(text[position])
        position += 1
      }
    }
    return decoded
  }
}
