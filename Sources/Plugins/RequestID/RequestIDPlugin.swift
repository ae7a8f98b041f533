import DataPlane
import Resources
import Runtime

extension RequestID: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { RequestIDPlugin(self, site) }
}

final class RequestIDPlugin: Plugin {
  /// Of a name that comes with a request: what the log shows of one.
  static let nameBytesMax = 256

  private let settings: RequestID
  private let worker: Worker
  private let fieldName: [UInt8]
  private let lowercaseName: [UInt8]
  /// It is the field that the gateway itself knows.
  private let isStandard: Bool
  /// What names with a counter have in common.
  private let base: [UInt8]
  private var count = 0

  init(_ settings: RequestID, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    fieldName = Array(settings.headerName.utf8)
    lowercaseName = Array(settings.headerName.lowercased().utf8)
    isStandard = settings.headerName.lowercased() == "x-request-id"
    base = RequestNames.uuid(site.worker.random.next(), site.worker.random.next())
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    let name = sent(exchange) ?? make()
    exchange.nameRequest(name)
    // Otherwise the gateway writes the field itself.
    if !isStandard || !exchange.sendsRequestName {
      exchange.dropRequestField(lowercaseName)
      exchange.addRequestLines(line(name))
    }
    guard settings.isInResponse else { return .next }
    exchange.dropResponseField(lowercaseName)
    exchange.addResponseLines(line(name))
    return .next
  }

  /// The name that the request comes with, where it may: visible characters only, so that logs show it as it is.
  private func sent(_ exchange: Exchange) -> [UInt8]? {
    switch settings.keep {
    case .none: return nil
    case .trusted: guard exchange.isFromTrustedPeer else { return nil }
    case .all: break
    }
    guard let value = exchange.firstField(lowercaseName) else { return nil }
    let name = exchange.copy(value)
    guard 1...Self.nameBytesMax ~= name.count, name.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    return name
  }

  private func make() -> [UInt8] {
    let first = worker.random.next()
    let second = worker.random.next()
    switch settings.generator {
    case .uuid: return RequestNames.uuid(first, second)
    case .timedUUID: return RequestNames.timedUUID(milliseconds, first, second)
    case .nanoid: return RequestNames.nanoid(first, second)
    case .ksuid:
      return RequestNames.ksuid(seconds: milliseconds / 1_000, first, second)
    case .hexadecimal: return RequestNames.hexadecimal(first, second)
    case .uuidWithCounter:
      count &+= 1
      var name = base
      name.append(UInt8(ascii: "#"))
      name.append(decimal: count)
      return name
    }
  }

  /// Since 1970.
  private var milliseconds: Int64 { worker.seam.wallClockNanoseconds() / 1_000_000 }

  private func line(_ name: [UInt8]) -> [UInt8] {
    var line: [UInt8] = []
    FieldLines.append(fieldName, name, to: &line)
    return line
  }
}
