import DataPlane
import HTTPCodec
import Resources

extension UARestriction: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { UARestrictionPlugin(self) }
}

final class UARestrictionPlugin: Plugin {
  /// This worker's own: expressions that are shared share a lock.
  private let allowed: [RegularExpression]
  private let denied: [RegularExpression]
  private let passesMissing: Bool
  private let refusal: PluginAnswer

  init(_ settings: UARestriction) {
    allowed = Self.expressions(settings.allowed)
    denied = Self.expressions(settings.denied)
    passesMissing = settings.passesMissing
    refusal = PluginAnswer(settings.status, settings.message)
    super.init(.requestHead)
  }

  /// They were compiled when the settings were read, and so they can be.
  private static func expressions(_ texts: [String]) -> [RegularExpression] {
    texts.compactMap { try? RegularExpression($0) }
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    let input = exchange.input
    var isMissing = true
    for field in exchange.request.fields where field.known == .userAgent {
      isMissing = false
      // Several are one too many (RFC 9110 §10.1.5): each has to pass, as the endpoint may read any of them.
      guard passes(input.bytes.extracting(field.value.range)) else { return .answer(refusal) }
    }
    return !isMissing || passesMissing ? .next : .answer(refusal)
  }

  /// There are many requests of few programs: what was found of a name is kept by its hash. That two names share one
  /// is nothing that anybody can bring about.
  private func passes(_ name: Span<UInt8>) -> Bool {
    let hash = Int(truncatingIfNeeded: KeyHash.of(name))
    if let slot = verdicts.slot(of: hash) { return verdicts[slot] }
    if verdicts.count >= Self.verdictsMax { verdicts.removeAll() }
    let verdict = match(name)
    _ = verdicts.slot(of: hash, orInsert: verdict)
    return verdict
  }

  private var verdicts = HashedTable(empty: false)
  /// 16 bytes each; above, all are forgotten.
  private static let verdictsMax = 32_768

  private func match(_ name: Span<UInt8>) -> Bool {
    for expression in allowed where expression.matchesPart(of: name) { return true }
    if denied.isEmpty { return false }
    for expression in denied where expression.matchesPart(of: name) { return false }
    return true
  }
}
