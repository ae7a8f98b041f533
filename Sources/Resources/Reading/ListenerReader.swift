/// Reads `listeners`.
enum ListenerReader {
  static let keys = ["name", "address", "proxyProtocol"]
  /// Each has a socket in each worker.
  static let listenersMax = 1_000

  static func readAll(_ root: MappingReader) -> [Listener] {
    let example = "such as listeners: [{name: web, address: \":8080\"}]"
    guard let value = root.required("listeners", example) else { return [] }
    guard let items = value.items("a list of listeners", hint: example) else { return [] }
    guard !items.isEmpty else {
      value.report("at least one listener is needed", hint: example)
      return []
    }
    guard items.count <= listenersMax else {
      value.report("\(items.count) listeners are too many", hint: "at most \(listenersMax)")
      return []
    }
    var names = UniqueNames()
    var listeners: [Listener] = []
    for item in items {
      guard let mapping = MappingReader(item, keys: keys, hint: "such as {name: web, address: \":8080\"}")
      else {
        continue
      }
      let name = readName(mapping, "listener", &names)
      let addressValue = mapping.required("address")
      let address = addressValue?.bindAddress()
      if let address, let other = listeners.first(where: { $0.address.isSameAddress(as: address) }) {
        addressValue?.report(
          "the address \(address.description) is already that of listener \(quoted(other.name))")
      }
      var listener = Listener(name: name ?? "", address: address ?? HostPort(host: "", port: 0))
      mapping.read("proxyProtocol", into: &listener.proxyProtocol) { $0.boolean() }
      // Kept even with a bad address, so that references to its name are not reported as well.
      listeners.append(listener)
    }
    return listeners
  }

  /// The unique `name` of a listener, service or route.
  static func readName(_ mapping: MappingReader, _ kind: String, _ names: inout UniqueNames) -> String? {
    guard let value = mapping.required("name"), let name = value.name() else { return nil }
    names.insert(name, kind, at: value)
    return name
  }
}
