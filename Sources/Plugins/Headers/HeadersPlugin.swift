import DataPlane
import HTTPCodec
import Resources

extension Headers: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { HeadersPlugin(self) }
}

final class HeadersPlugin: Plugin {
  private let settings: Headers

  init(_ settings: Headers) {
    self.settings = settings
    var phases: Phases = []
    if !settings.request.isEmpty { phases.insert(.requestHead) }
    if !settings.response.isEmpty { phases.insert(.responseHead) }
    super.init(phases)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    let changes = settings.request
    let renamed = changes.renamed.isEmpty ? [] : renamedLines(changes, exchange)
    for name in changes.dropped { exchange.dropRequestField(name) }
    if !renamed.isEmpty { exchange.addRequestLines(renamed) }
    let lines = lines(of: changes, exchange)
    if !lines.isEmpty { exchange.addRequestLines(lines) }
    return .next
  }

  override func responseHead(_ exchange: Exchange) throws(PluginFailure) {
    let changes = settings.response
    for name in changes.dropped { exchange.dropResponseField(name) }
    let lines = lines(of: changes, exchange)
    if !lines.isEmpty { exchange.addResponseLines(lines) }
  }

  private func lines(of changes: Headers.Changes, _ exchange: Exchange) -> [UInt8] {
    if changes.texts.isEmpty { return changes.lines }
    var lines = changes.lines
    for (name, value) in changes.texts { FieldLines.append(name, value, of: exchange, to: &lines) }
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
