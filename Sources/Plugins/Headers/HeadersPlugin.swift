import DataPlane
import HTTPCodec
import Resources

extension Headers: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { HeadersPlugin(self) }
}

final class HeadersPlugin: Plugin {
  private let settings: Headers
  /// Without variables.
  private let requestLines: [UInt8]
  private let responseLines: [UInt8]
  private let droppedOfRequest: FieldNames
  private let droppedOfResponse: FieldNames

  init(_ settings: Headers) {
    self.settings = settings
    requestLines = settings.request.lines
    responseLines = settings.response.lines
    droppedOfRequest = Self.names(settings.request.dropped)
    droppedOfResponse = Self.names(settings.response.dropped)
    var phases: Phases = []
    if !settings.request.isEmpty { phases.insert(.requestHead) }
    if !settings.response.isEmpty { phases.insert(.responseHead) }
    super.init(phases)
  }

  private static func names(_ names: [[UInt8]]) -> FieldNames {
    FieldNames(names.map { String(decoding: $0, as: UTF8.self) })
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if settings.request.renamed.isEmpty {
      if !droppedOfRequest.isEmpty { exchange.dropRequestFields(droppedOfRequest) }
    } else {
      let renamed = renamedLines(settings.request, exchange)
      exchange.dropRequestFields(droppedOfRequest)
      exchange.addRequestLines(renamed)
    }
    exchange.addRequestLines(requestLines)
    if !settings.request.texts.isEmpty {
      exchange.addRequestLines(lines(of: settings.request.texts, exchange))
    }
    return .next
  }

  override func responseHead(_ exchange: Exchange) throws(PluginFailure) {
    if !droppedOfResponse.isEmpty { exchange.dropResponseFields(droppedOfResponse) }
    exchange.addResponseLines(responseLines)
    if !settings.response.texts.isEmpty {
      exchange.addResponseLines(lines(of: settings.response.texts, exchange))
    }
  }

  private func lines(of texts: [(name: [UInt8], value: TextTemplate)], _ exchange: Exchange) -> [UInt8] {
    var lines: [UInt8] = []
    for (name, value) in texts { FieldLines.append(name, value, of: exchange, to: &lines) }
    return lines
  }

  private func renamedLines(_ changes: Headers.Changes, _ exchange: Exchange) -> [UInt8] {
    var lines: [UInt8] = []
    for (from, to) in changes.renamed {
      for field in exchange.request.fields {
        let input = exchange.input
        guard input.bytes.equalsIgnoringCase(field.name, lowercase: from) else { continue }
        FieldLines.append(to, exchange.copy(field.value), to: &lines)
      }
    }
    return lines
  }
}
