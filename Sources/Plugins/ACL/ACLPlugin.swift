import DataPlane
import Resources

extension ACL: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { ACLPlugin(self) }
}

final class ACLPlugin: Plugin {
  private static let groups = Array("x-consumer-groups".utf8)

  private let settings: ACL
  private let refusal: PluginAnswer

  init(_ settings: ACL) {
    self.settings = settings
    refusal = PluginAnswer(settings.status, settings.message)
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    guard let consumer = exchange.consumer else {
      // A mistake of the configuration's, and not the client's: nobody could pass.
      exchange.note(
        PluginFailure("nothing says who calls: add a plugin that asks for credentials, such as key-auth"))
      return .answer(refusal)
    }
    guard settings.passes(consumer.name, consumer.groups) else { return .answer(refusal) }
    if settings.hidesGroups { exchange.dropRequestField(Self.groups) }
    return .next
  }
}
