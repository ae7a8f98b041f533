import DataPlane
import HTTPCodec
import Resources

extension RequestSize: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { RequestSizePlugin(self) }
}

final class RequestSizePlugin: Plugin {
  private let settings: RequestSize
  private let tooLarge = PluginAnswer(413, "The request's content is too large.")
  private static let contentLength = Array("content-length".utf8)
  private let lengthRequired = PluginAnswer(411, "The request needs a Content-Length.")

  init(_ settings: RequestSize) {
    self.settings = settings
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    // The field, and not the framing: of a stream whose content has come whole, the length is known without.
    if settings.requiresLength, exchange.request.framing != .none,
      exchange.firstField(Self.contentLength) == nil
    {
      return .answer(lengthRequired)
    }
    return exchange.limitContent(to: settings.limit) ? .next : .answer(tooLarge)
  }
}
