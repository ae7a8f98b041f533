import Runtime

/// A client's connection of which nothing was read yet but a PROXY header, as plugins see it.
public struct AcceptedConnection {
  /// The other end's, or what the PROXY header says.
  public let address: SocketAddress
  private unowned let data: DataPlaneWorker
  private let attached: AttachedPlugin

  init(from address: SocketAddress, for attached: AttachedPlugin, of data: DataPlaneWorker) {
    self.address = address
    self.attached = attached
    self.data = data
  }

  /// Has the log and the counters say that the plugin cannot do all that it is for; the connection goes on.
  public func note(_ failure: PluginFailure) { data.note(failure, of: attached) }
}

/// What becomes of a connection.
public enum ConnectionVerdict {
  case keep
  /// Closed at once, without a word.
  case close
}

extension DataPlaneWorker {
  /// Whether a plugin has a connection closed.
  @inline(__always)
  func pluginsRefuse(_ address: SocketAddress) -> Bool {
    !connectionPlugins.isEmpty && askConnectionPlugins(about: address)
  }

  private func askConnectionPlugins(about address: SocketAddress) -> Bool {
    for attached in connectionPlugins {
      guard let plugin = attached.plugin(of: self) else { continue }
      do throws(PluginFailure) {
        switch try plugin.connection(AcceptedConnection(from: address, for: attached, of: self)) {
        case .keep: continue
        case .close: return true
        }
      } catch {
        note(error, of: attached)
        return true
      }
    }
    return false
  }

  /// Counts a plugin that cannot do what it is for, and tells of it.
  func note(_ failure: PluginFailure, of attached: AttachedPlugin) {
    counters.plugin(named: attached.attachment.name).figures.failures &+= 1
    report(failure, of: attached)
  }
}
