import DataPlane
import HTTPCodec
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
  /// The field's name, a colon and a space.
  private let lineStart: [UInt8]
  private let lowercaseName: [UInt8]
  private let fieldNames: FieldNames
  /// It is the field that the gateway itself knows.
  private let isStandard: Bool
  /// What names with a counter have in common.
  private let base: [UInt8]
  private var count: UInt64 = 0

  init(_ settings: RequestID, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    lineStart = Array("\(settings.headerName): ".utf8)
    lowercaseName = Array(settings.headerName.lowercased().utf8)
    fieldNames = FieldNames([settings.headerName])
    isStandard = settings.headerName.lowercased() == "x-request-id"
    let base = Buffer(capacity: 64)
    RequestNames.appendUUID(site.worker.random.next(), site.worker.random.next(), to: base)
    self.base = base.copy(0..<base.count)
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    let sent = sent(exchange)
    exchange.nameRequest { name in
      if let sent { name.append(exchange.input, range: sent.range) } else { appendNew(to: name) }
    }
    // Otherwise the gateway writes the field itself.
    if !isStandard || !exchange.sendsRequestName {
      exchange.dropRequestFields(fieldNames)
      appendLine(exchange, to: exchange.addedRequestLines)
    }
    guard settings.isInResponse else { return .next }
    exchange.dropResponseFields(fieldNames)
    appendLine(exchange, to: exchange.addedResponseLines)
    return .next
  }

  /// The name that the request comes with, where it may: visible characters only, so that logs show it as it is.
  private func sent(_ exchange: Exchange) -> ByteRange? {
    switch settings.keep {
    case .none: return nil
    case .trusted: guard exchange.isFromTrustedPeer else { return nil }
    case .all: break
    }
    guard let name = exchange.firstField(lowercaseName), 1...Self.nameBytesMax ~= name.range.count else {
      return nil
    }
    let input = exchange.input
    for index in name.range where input.bytes[index] <= 0x20 || input.bytes[index] >= 0x7F { return nil }
    return name
  }

  private func appendNew(to name: Buffer) {
    let first = worker.random.next()
    let second = worker.random.next()
    switch settings.generator {
    case .uuid: RequestNames.appendUUID(first, second, to: name)
    case .timedUUID: RequestNames.appendTimedUUID(milliseconds, first, second, to: name)
    case .nanoid: RequestNames.appendNanoid(first, second, to: name)
    case .ksuid: RequestNames.appendKSUID(seconds: milliseconds / 1_000, first, second, to: name)
    case .hexadecimal: RequestNames.appendHexadecimal(first, second, to: name)
    case .uuidWithCounter:
      count &+= 1
      name.append(base)
      name.append("#")
      name.append(decimal: count)
    }
  }

  /// Since 1970.
  private var milliseconds: Int64 { worker.seam.wallClockNanoseconds() / 1_000_000 }

  private func appendLine(_ exchange: Exchange, to lines: Buffer) {
    lines.append(lineStart)
    exchange.appendRequestName(to: lines)
    lines.append("\r\n")
  }
}
