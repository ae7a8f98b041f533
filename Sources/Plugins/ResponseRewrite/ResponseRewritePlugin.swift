import DataPlane
import Resources

extension ResponseRewrite: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { ResponseRewritePlugin(self) }
}

final class ResponseRewritePlugin: Plugin {
  private let settings: ResponseRewrite
  private let filters: [ContentFilter]
  private let contentTypeLine: [UInt8]

  init(_ settings: ResponseRewrite) {
    self.settings = settings
    filters = settings.filters.compactMap(ContentFilter.init)
    contentTypeLine = Array("Content-Type: \(settings.contentType)\r\n".utf8)
    super.init([.requestHead, .responseHead, .heldResponse])
  }

  private var changesContent: Bool { settings.body != nil || !filters.isEmpty }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if !filters.isEmpty {
      // Content that is coded cannot be looked through, nor a part of it.
      exchange.dropRequestFields(Self.requestFields)
    }
    return .next
  }

  override func responseHead(_ exchange: Exchange) throws(PluginFailure) {
    let status = exchange.responseStatus
    guard exchange.isAnsweredByEndpoint, concerns(status) else { return }
    // There is no content with these (RFC 9110 §15.3.5, §15.4.5).
    if settings.status == nil, [204, 205, 304].contains(status) { return }
    if changesContent, !changeContent(exchange) { return }
    if let status = settings.status { exchange.replaceStatus(status) }
  }

  /// - Returns: false where the response stays as it is.
  private func changeContent(_ exchange: Exchange) -> Bool {
    if settings.body == nil {
      guard exchange.responseStatus != 206, !exchange.responseHasField(Self.contentEncoding) else {
        return false
      }
    }
    let isHeld = exchange.holdResponse(atMost: settings.contentBytesMax, cutsOff: settings.body != nil)
    if !isHeld, !exchange.isHeadRequest { return settings.status != nil }
    // They are about what the service has sent.
    exchange.dropResponseFields(Self.validators)
    if settings.body != nil {
      exchange.dropResponseFields(Self.contentFields)
      exchange.addResponseLines(contentTypeLine)
    }
    if isHeld { exchange.keep(self, for: self) }
    return true
  }

  override func heldResponse(_ exchange: Exchange, _ content: inout [UInt8]) throws(PluginFailure) {
    // Another plugin may have asked for it.
    guard exchange.kept(for: self) != nil else { return }
    if let body = settings.body {
      content = body.text(of: exchange, TextEscaping(contentType: settings.contentType))
    }
    for filter in filters { filter.change(&content) }
  }

  private func concerns(_ status: UInt16) -> Bool {
    settings.statuses.isEmpty || settings.statuses.contains(status)
  }

  private static let requestFields = FieldNames(["accept-encoding", "range", "if-range"])
  private static let contentEncoding = Array("content-encoding".utf8)
  private static let validators = FieldNames(
    ["etag", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges"])
  private static let contentFields = FieldNames(
    ["content-type", "content-encoding", "content-language", "content-range", "content-disposition"])
}

/// Replaces what a regular expression finds. Belongs to one worker.
struct ContentFilter {
  private let expression: RegularExpression
  private let replacement: TextTemplate
  private let isGlobal: Bool

  /// A longer result is cut off by leaving the rest as it is.
  static let resultBytesMax = 4 << 20

  /// Nil where the pattern cannot be compiled, which was found out when the configuration was read.
  init?(_ filter: ResponseRewrite.Filter) {
    guard let expression = try? RegularExpression(filter.pattern, hasGroups: true) else { return nil }
    self.expression = expression
    replacement = filter.replacement
    isGlobal = filter.isGlobal
  }

  func change(_ content: inout [UInt8]) {
    var result: [UInt8] = []
    var copied = 0
    var position = 0
    /// Of the last that was not empty.
    var end = -1
    while position <= content.count, let groups = expression.groups(in: content.span, from: position) {
      let found = groups[0]
      // What is found may be empty: the next is looked for behind the next byte.
      position = found.isEmpty ? found.upperBound + 1 : found.upperBound
      // But not right behind something that is not.
      if found.isEmpty, found.lowerBound == end { continue }
      if !found.isEmpty { end = found.upperBound }
      result += content[copied..<found.lowerBound]
      result += replacement.text(matched: content, groups: groups)
      copied = found.upperBound
      guard isGlobal, result.count < Self.resultBytesMax else { break }
    }
    if copied == 0, result.isEmpty { return }
    result += content[copied...]
    content = result
  }
}
