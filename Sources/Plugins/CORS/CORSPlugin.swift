import DataPlane
import HTTPCodec
import Resources

extension CORS: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { CORSPlugin(self) }
}

final class CORSPlugin: Plugin {
  private let settings: CORS
  private let expressions: [RegularExpression]
  private let preflight = PluginAnswer(204, content: [])

  // What each response asks for is the plugin's own: to look whether a static one is there costs as much.
  private let originName = Array("origin".utf8)
  private let varyName = Array("vary".utf8)
  private static let anything = Array("*".utf8)
  /// Members of `Vary` that say it already.
  private let varying = [Array("origin".utf8), Array("*".utf8)]
  private static let requestedMethod = Array("access-control-request-method".utf8)
  private static let requestedHeaders = Array("access-control-request-headers".utf8)
  private static let requestedNetwork = Array("access-control-request-private-network".utf8)
  private static let credentialsLine = Array("Access-Control-Allow-Credentials: true\r\n".utf8)
  private static let networkLine = Array("Access-Control-Allow-Private-Network: true\r\n".utf8)
  private static let allowOrigin = Array("Access-Control-Allow-Origin".utf8)
  private static let allowHeaders = Array("Access-Control-Allow-Headers".utf8)
  /// What an endpoint says of this does not go on: there is one place that says it.
  private let owned = FieldNames(
    [
      "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers",
      "access-control-allow-methods", "access-control-allow-headers", "access-control-max-age",
      "access-control-allow-private-network",
    ])
  /// Longer lists of fields are not repeated.
  private static let requestedBytesMax = 4_096

  private let exposedLine: [UInt8]
  private let methodsLine: [UInt8]
  private let headersLine: [UInt8]
  private let maxAgeLine: [UInt8]

  init(_ settings: CORS) {
    self.settings = settings
    expressions = settings.expressions.compactMap { try? RegularExpression($0) }
    exposedLine = Self.line("Access-Control-Expose-Headers", settings.exposedHeaders)
    methodsLine = Self.line("Access-Control-Allow-Methods", settings.methods)
    headersLine = Self.line("Access-Control-Allow-Headers", settings.headers)
    maxAgeLine = Self.line("Access-Control-Max-Age", settings.maxAge)
    super.init([.requestHead, .responseHead])
  }

  private static func line(_ name: String, _ value: [UInt8]) -> [UInt8] {
    var line: [UInt8] = []
    if !value.isEmpty { FieldLines.append(Array(name.utf8), value, to: &line) }
    return line
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    isPreflight(exchange) && !settings.continues ? .answer(preflight) : .next
  }

  override func responseHead(_ exchange: Exchange) throws(PluginFailure) {
    let isPreflight = isPreflight(exchange)
    // The endpoint has answered it as it likes.
    if isPreflight, settings.continues, exchange.isAnsweredByEndpoint { return }
    exchange.dropResponseFields(owned)
    if !settings.allowsAll { addVary(exchange) }
    guard let origin = exchange.firstField(originName) else { return }
    if !isPreflight, known.isSame(origin, exchange) { return exchange.addResponseLines(known.lines) }
    guard isAllowed(origin, exchange) else { return }
    var lines: [UInt8] = []
    FieldLines.append(
      Self.allowOrigin, settings.allowsAll ? Self.anything : exchange.copy(origin), to: &lines)
    if settings.allowsCredentials { lines += Self.credentialsLine }
    if isPreflight {
      addPreflight(exchange, to: &lines)
    } else {
      lines += exposedLine
      known = KnownOrigin(origin: exchange.copy(origin), lines: lines)
    }
    exchange.addResponseLines(lines)
  }

  /// The last that was allowed, and its lines: mostly it is the next as well.
  private struct KnownOrigin {
    var origin: [UInt8] = []
    var lines: [UInt8] = []

    func isSame(_ other: ByteRange, _ exchange: Exchange) -> Bool {
      guard !origin.isEmpty, other.range.count == origin.count else { return false }
      let input = exchange.input
      let bytes = input.bytes
      for index in origin.indices where bytes[Int(other.start) + index] != origin[index] { return false }
      return true
    }
  }

  private var known = KnownOrigin()

  /// The Fetch standard: OPTIONS with these two fields is a preflight.
  private func isPreflight(_ exchange: Exchange) -> Bool {
    exchange.request.method == .options && exchange.firstField(Self.requestedMethod) != nil
      && exchange.firstField(originName) != nil
  }

  private func isAllowed(_ origin: ByteRange, _ exchange: Exchange) -> Bool {
    if settings.allowsAll { return true }
    let bytes = exchange.copy(origin)
    if settings.origins.contains(bytes) { return true }
    return expressions.contains { $0.matchesWhole(bytes.span) }
  }

  /// Caches must not give one origin's answer to another.
  private func addVary(_ exchange: Exchange) {
    if exchange.responseLists(anyOf: varying, in: varyName) { return }
    exchange.addedResponseLines.append("Vary: Origin\r\n")
  }

  private func addPreflight(_ exchange: Exchange, to lines: inout [UInt8]) {
    lines += methodsLine
    lines += maxAgeLine
    if settings.privateNetwork, exchange.firstField(Self.requestedNetwork) != nil {
      lines += Self.networkLine
    }
    guard settings.headers.isEmpty else {
      lines += headersLine
      return
    }
    guard let requested = exchange.firstField(Self.requestedHeaders), !requested.isEmpty,
      requested.count <= Self.requestedBytesMax, isListOfNames(requested, exchange)
    else { return }
    FieldLines.append(Self.allowHeaders, exchange.copy(requested), to: &lines)
  }

  private func isListOfNames(_ value: ByteRange, _ exchange: Exchange) -> Bool {
    let input = exchange.input
    let bytes = input.bytes
    var cursor = ListCursor(value)
    while let name = cursor.next(in: bytes) {
      if !bytes.isToken(name) { return false }
    }
    return true
  }
}
