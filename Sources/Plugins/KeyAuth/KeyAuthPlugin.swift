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
    guard let key = key(of: exchange), !key.isEmpty else {
      return try Anonymous.pass(exchange, settings.anonymous, consumers) ?? .answer(missing)
    }
    guard let found = find(key) else { return .answer(wrong) }
    exchange.identify(found)
    return .next
  }

  private func find(_ key: [UInt8]) -> FoundCredential? {
    if let found = known.find(key, consumers) { return found }
    guard let found = consumers.find(SHA256.digest(of: key), of: KeyAuth.name) else { return nil }
    known.remember(key, found)
    return found
  }

  private func key(of exchange: Exchange) -> [UInt8]? {
    for place in settings.places {
      for index in settings.names.indices {
        let found: [UInt8]?
        switch place {
        case .header: found = exchange.firstField(settings.names[index]).map(exchange.copy)
        case .query: found = exchange.queryParameter(settings.exactNames[index])
        case .cookie: found = exchange.cookie(settings.exactNames[index])
        }
        if let found { return found }
      }
    }
    return nil
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
