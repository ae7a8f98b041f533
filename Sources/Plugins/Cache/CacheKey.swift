import DataPlane
import HTTPCodec
import Runtime

/// How requests are told apart, beside their URL.
struct CacheKeySettings: Sendable {
  /// Names in lower case; sorted.
  var headers: [[UInt8]] = []
  var cookies: [[UInt8]] = []
  /// Parameters that count; nil: all.
  var parameters: [[UInt8]]?
  /// Those that do not; with `*` at the end: all that begin so.
  var ignoredParameters: [[UInt8]] = []
  var sortsQuery = false
  var ignoresCase = false
  var tellsConsumers = true

  /// The query has to be taken apart.
  var changesQuery: Bool { parameters != nil || !ignoredParameters.isEmpty || sortsQuery }
}

/// The key of a request, written into buffers that are used again: nothing is allocated for requests whose query
/// counts as it is. Belongs to one worker.
final class CacheKey {
  /// Scheme, host, path and query.
  let url = Buffer(capacity: 1_024)
  /// What else requests are told apart by.
  let partition = Buffer(capacity: 512)
  private(set) var urlHash: UInt64 = 0
  private(set) var hash: UInt64 = 0

  /// Of the URL and of the partition: what has longer ones is not stored.
  static let bytesMax = 8_192

  /// - Returns: false where it is too long.
  func make(of exchange: Exchange, _ settings: CacheKeySettings) -> Bool {
    let (url, partition) = (url, partition)
    url.removeAll()
    partition.removeAll()
    appendURL(exchange, settings)
    appendPartition(exchange, settings)
    guard url.count <= Self.bytesMax, partition.count <= Self.bytesMax else { return false }
    urlHash = KeyHash.of(url.bytes)
    hash = KeyHash.of(partition.bytes, after: urlHash)
    return true
  }

  func isURL(_ other: [UInt8]) -> Bool { Self.same(url, other) }
  func isPartition(_ other: [UInt8]) -> Bool { Self.same(partition, other) }

  private static func same(_ buffer: Buffer, _ other: [UInt8]) -> Bool {
    let bytes = buffer.bytes
    guard bytes.count == other.count else { return false }
    for index in bytes.indices where bytes[index] != other[index] { return false }
    return true
  }

  private func appendURL(_ exchange: Exchange, _ settings: CacheKeySettings) {
    let isTLS = exchange.isTLS
    if isTLS { url.append("https://") } else { url.append("http://") }
    let input = exchange.input
    let bytes = input.bytes
    // With the port: an origin may write it into its links.
    let authority = bytes.extracting(exchange.request.authority.range)
    let count = Self.authorityCount(authority, isTLS: isTLS)
    for index in 0..<count { url.append(authority[index].asciiLowercased) }
    exchange.withPath { path in
      if settings.ignoresCase {
        for index in path.indices { url.append(path[index].asciiLowercased) }
      } else {
        url.append(path)
      }
    }
    guard exchange.request.hasQuery else { return }
    let query = bytes.extracting(exchange.request.query.range)
    if settings.changesQuery {
      let kept = CanonicalQuery.make(query, settings)
      if kept.isEmpty { return }
      url.append(UInt8(ascii: "?"))
      url.append(kept)
    } else {
      url.append(UInt8(ascii: "?"))
      url.append(query)
    }
  }

  /// Without the port that the scheme means anyway.
  private static func authorityCount(_ authority: Span<UInt8>, isTLS: Bool) -> Int {
    let port = isTLS ? httpsPort : httpPort
    let count = authority.count - port.count
    guard count > 0 else { return authority.count }
    for index in port.indices where authority[count + index] != port[index] { return authority.count }
    return count
  }

  private static let httpPort = Array(":80".utf8)
  private static let httpsPort = Array(":443".utf8)

  private func appendPartition(_ exchange: Exchange, _ settings: CacheKeySettings) {
    // Routes differ in more than URLs; of a route's services, each answers for itself.
    partition.append(exchange.routeName)
    partition.append(0)
    partition.append(exchange.serviceName)
    partition.append(0)
    exchange.appendForwardedDifferences(to: partition)
    partition.append(0)
    // What was stored under other options is not found: what they do not tell apart, these may.
    partition.append(UInt8(ascii: settings.tellsConsumers ? "c" : "-"))
    if settings.tellsConsumers, let consumer = exchange.consumer { partition.append(consumer.nameBytes) }
    for name in settings.headers { append(name, exchange.sentValue(of: name), mark: UInt8(ascii: ":")) }
    for name in settings.cookies { append(name, exchange.cookie(name), mark: UInt8(ascii: "=")) }
  }

  /// - mark: In no name; tells fields from cookies.
  private func append(_ name: [UInt8], _ value: [UInt8]?, mark: UInt8) {
    partition.append(0)
    partition.append(mark)
    partition.append(name)
    // None is not the same as an empty one.
    guard let value else { return }
    partition.append(mark)
    partition.append(value)
  }

  /// A URL as somebody writes it who wants to purge it: scheme, host, path and query; nil where it is none. Its
  /// path has the form in which paths are forwarded.
  static func url(_ text: String) -> [UInt8]? {
    let bytes = Array(text.utf8)
    guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }), bytes.count <= bytesMax
    else {
      return nil
    }
    let lowered = bytes.prefix(8).map(\.asciiLowercased)
    let isTLS = lowered.starts(with: Array("https://".utf8))
    guard isTLS || lowered.starts(with: Array("http://".utf8)) else { return nil }
    let scheme = isTLS ? 8 : 7
    let rest = bytes[scheme...]
    let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? bytes.endIndex
    guard end > scheme else { return nil }
    let authority = Array(bytes[scheme..<end])
    let count = authorityCount(authority.span, isTLS: isTLS)
    var url = Array(bytes[..<scheme]).map(\.asciiLowercased)
    url += authority[..<count].map(\.asciiLowercased)
    if end == bytes.endIndex || bytes[end] == UInt8(ascii: "?") { url.append(UInt8(ascii: "/")) }
    return url + bytes[end...]
  }
}

/// A query of which only some parameters count, or in any order.
enum CanonicalQuery {
  /// Parameters above which their order is left as it is: sorting them is work that a client chooses.
  private static let sortedMax = 128

  static func make(_ query: Span<UInt8>, _ settings: CacheKeySettings) -> [UInt8] {
    var kept: [[UInt8]] = []
    var start = 0
    for index in 0...query.count {
      guard index == query.count || query[index] == UInt8(ascii: "&") else { continue }
      let pair = query.extracting(start..<index)
      start = index + 1
      if pair.isEmpty { continue }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(pair.count)
      for position in pair.indices { bytes.append(pair[position]) }
      let name = bytes.prefix { $0 != UInt8(ascii: "=") }
      // A name that is written otherwise than settings write it, or may be two to the service, always counts.
      let isUnclear = bytes.contains(UInt8(ascii: ";")) || name.contains { $0 == 0x25 || $0 == 0x2B }
      if isUnclear || counts(name, settings) { kept.append(bytes) }
    }
    if settings.sortsQuery, kept.count <= sortedMax {
      // Of the same name, in their order.
      kept = kept.enumerated().sorted { one, other in
        let (a, b) = (one.element.prefix { $0 != 0x3D }, other.element.prefix { $0 != 0x3D })
        return a.elementsEqual(b) ? one.offset < other.offset : a.lexicographicallyPrecedes(b)
      }.map(\.element)
    }
    return Array(kept.joined(separator: [UInt8(ascii: "&")]))
  }

  private static func counts(_ name: ArraySlice<UInt8>, _ settings: CacheKeySettings) -> Bool {
    if let parameters = settings.parameters, !parameters.contains(where: { name.elementsEqual($0) }) {
      return false
    }
    return !settings.ignoredParameters.contains { ignored in
      ignored.last == UInt8(ascii: "*") ? name.starts(with: ignored.dropLast()) : name.elementsEqual(ignored)
    }
  }
}
