import DataPlane
import HTTPCodec
import Resources

extension UARestriction: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { UARestrictionPlugin(self) }
}

final class UARestrictionPlugin: Plugin {
  private static let userAgent = Array("user-agent".utf8)

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
    var isMissing = true
    var passes = true
    exchange.withEachField(Self.userAgent) { value in
      isMissing = false
      // Several are one too many (RFC 9110 §10.1.5): each has to pass, as the endpoint may read any of them.
      if passes { passes = self.passes(value) }
    }
    return (isMissing ? passesMissing : passes) ? .next : .answer(refusal)
  }

  /// There are many requests of few programs.
  private func passes(_ name: Span<UInt8>) -> Bool {
    let hash = KeyHash.of(name)
    if let known = verdicts[hash], known.isSame(name) { return known.passes }
    let verdict = match(name)
    if name.count <= Self.nameBytesMax {
      if verdicts.count >= Self.verdictsMax { verdicts = [:] }
      verdicts[hash] = Verdict(name: name.indices.map { name[$0] }, passes: verdict)
    }
    return verdict
  }

  private struct Verdict {
    let name: [UInt8]
    let passes: Bool

    func isSame(_ other: Span<UInt8>) -> Bool {
      guard name.count == other.count else { return false }
      for index in name.indices where name[index] != other[index] { return false }
      return true
    }
  }

  private var verdicts: [UInt64: Verdict] = [:]
  /// 1 MiB at most; above, all are forgotten.
  private static let verdictsMax = 2_048
  private static let nameBytesMax = 512

  private func match(_ name: Span<UInt8>) -> Bool {
    for expression in allowed where expression.matchesPart(of: name) { return true }
    if denied.isEmpty { return false }
    for expression in denied where expression.matchesPart(of: name) { return false }
    return true
  }
}
