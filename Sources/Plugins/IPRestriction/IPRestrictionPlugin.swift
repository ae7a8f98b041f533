import DataPlane
import Resources
import Runtime

extension IPRestriction: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { IPRestrictionPlugin(self) }
}

final class IPRestrictionPlugin: Plugin {
  private let allowed: NetworkTable?
  private let denied: NetworkTable?
  private var allowedFile: FileView<NetworkTable>?
  private var deniedFile: FileView<NetworkTable>?
  private let refusal: PluginAnswer

  init(_ settings: IPRestriction) {
    allowed = settings.allowed
    denied = settings.denied
    allowedFile = settings.allowedFile.map { FileView($0) }
    deniedFile = settings.deniedFile.map { FileView($0) }
    refusal = PluginAnswer(settings.status, settings.message)
    super.init(settings.seesConnections ? .connection : .requestHead)
  }

  /// Goes by the other end's address, or what the PROXY protocol says: no request is there to say another.
  override func connection(_ connection: AcceptedConnection) throws(PluginFailure) -> ConnectionVerdict {
    if let failure = allowedFile?.refresh() { connection.note(failure) }
    if let failure = deniedFile?.refresh() { connection.note(failure) }
    return passes(connection.address) ? .keep : .close
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if let failure = allowedFile?.refresh() { exchange.note(failure) }
    if let failure = deniedFile?.refresh() { exchange.note(failure) }
    return passes(exchange.clientAddress) ? .next : .answer(refusal)
  }

  private func passes(_ address: SocketAddress) -> Bool {
    if let denied, denied.contains(address) { return false }
    if let deniedFile, deniedFile.content.contains(address) { return false }
    if allowed == nil, allowedFile == nil { return true }
    if let allowed, allowed.contains(address) { return true }
    return allowedFile?.content.contains(address) == true
  }
}
