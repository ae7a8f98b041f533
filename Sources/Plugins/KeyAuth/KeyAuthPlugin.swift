import DataPlane
import HTTPCodec
import Resources
import TLS

extension KeyAuth: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { KeyAuthPlugin(self, site) }
}

final class KeyAuthPlugin: Plugin {
  private let settings: KeyAuth
  private let consumers: ConsumerTable
  private var known = KnownSecrets()
  private let missing: PluginAnswer
  private let wrong: PluginAnswer

  init(_ settings: KeyAuth, _ site: PluginSite) {
    self.settings = settings
    consumers = site.consumers
    missing = PluginAnswer(401, "The request has no API key.", lines: settings.challenge)
    wrong = PluginAnswer(401, "The API key is not valid.", lines: settings.challenge)
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if settings.hidesCredentials { hide(exchange) }
    switch look(exchange) {
    case .found(let found):
      exchange.identify(found)
      return .next
    case .wrong: return settings.paths.verdict(exchange, wrong)
    case .missing:
      return try Anonymous.pass(exchange, settings.anonymous, consumers)
        ?? settings.paths.verdict(exchange, missing)
    }
  }

  private enum Key {
    case missing
    /// It is no consumer's.
    case wrong
    case found(FoundCredential)
  }

  /// The first place that has something decides.
  private func look(_ exchange: Exchange) -> Key {
    for place in settings.places {
      for index in settings.names.indices {
        switch place {
        case .header:
          guard let range = exchange.firstField(settings.names[index]) else { continue }
          let input = exchange.input
          return find(input.bytes.extracting(range.range))
        case .query:
          guard let value = exchange.queryParameter(settings.exactNames[index]) else { continue }
          return find(value.span)
        case .cookie:
          guard let value = exchange.cookie(settings.exactNames[index]) else { continue }
          return find(value.span)
        }
      }
    }
    return .missing
  }

  private func find(_ key: Span<UInt8>) -> Key {
    if key.isEmpty { return .missing }
    if let found = known.find(key, consumers) { return .found(found) }
    var copy: [UInt8] = []
    copy.reserveCapacity(key.count)
    for index in key.indices { copy.append(key[index]) }
    guard let found = consumers.find(SHA256.digest(of: copy), of: KeyAuth.name) else { return .wrong }
    known.remember(copy, found)
    return .found(found)
  }

  /// The key is not the endpoint's business.
  private func hide(_ exchange: Exchange) {
    for place in settings.places {
      for index in settings.names.indices {
        switch place {
        case .header: exchange.dropRequestField(settings.names[index])
        case .query: exchange.dropQueryParameter(settings.exactNames[index])
        case .cookie: exchange.dropCookie(settings.exactNames[index])
        }
      }
    }
  }
}
