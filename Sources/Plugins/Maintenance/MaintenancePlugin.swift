import DataPlane
import Resources
import Runtime
import TLS

extension Maintenance: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { MaintenancePlugin(self) }
}

final class MaintenancePlugin: Plugin {
  private let settings: Maintenance
  private let answer: ReadyAnswer
  private let networks: [AddressRange]

  init(_ settings: Maintenance) {
    self.settings = settings
    answer = ReadyAnswer(settings.answer)
    networks = settings.networks.map(AddressRange.init)
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if mayPass(exchange) { return .next }
    if !settings.retryAfterLine.isEmpty { exchange.addResponseLines(settings.retryAfterLine) }
    return .answer(answer.answer(to: exchange))
  }

  private func mayPass(_ exchange: Exchange) -> Bool {
    let address = exchange.clientAddress
    if networks.contains(where: { $0.contains(address) }) { return true }
    for (name, value) in settings.fields {
      // The value is a secret that lets its sender in.
      if let field = exchange.firstField(name), ConstantTime.areEqual(exchange.copy(field), value) {
        return true
      }
    }
    guard let consumer = exchange.consumer else { return false }
    return settings.consumers.contains(consumer.name)
      || consumer.groups.contains(where: settings.groups.contains)
  }
}

/// A network as addresses are compared with it.
private struct AddressRange {
  private let value: SIMD16<UInt8>
  private let mask: SIMD16<UInt8>

  init(_ network: Network) {
    var mask = SIMD16<UInt8>(repeating: 0)
    var value = SIMD16<UInt8>(repeating: 0)
    for index in 0..<min(16, network.address.count) {
      let bits = min(max(network.prefixBits - index * 8, 0), 8)
      mask[index] = UInt8(truncatingIfNeeded: 0xff00 >> bits)
      value[index] = network.address[index]
    }
    self.mask = mask
    self.value = value & mask
  }

  func contains(_ address: SocketAddress) -> Bool { address.octets & mask == value }
}
