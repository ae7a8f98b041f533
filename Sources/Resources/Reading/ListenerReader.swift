/// Reads `listeners`.
enum ListenerReader {
  static let keys = ["name", "address", "proxyProtocol", "tls", "h2c", "redirect", "hsts"]
  /// Each has a socket in each worker.
  static let listenersMax = 1_000

  /// A listener, and where its `tls` is, for what is only known when certificates are read.
  struct Entry {
    var listener: Listener
    var tls: Value?
  }

  static func readAll(_ root: MappingReader) -> [Entry] {
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
    var entries: [Entry] = []
    for item in items {
      guard let mapping = MappingReader(item, keys: keys, hint: "such as {name: web, address: \":8080\"}")
      else {
        continue
      }
      let name = readName(mapping, "listener", &names)
      let addressValue = mapping.required("address")
      let address = addressValue?.bindAddress()
      if let address,
        let other = entries.first(where: { $0.listener.address.isSameAddress(as: address) })
      {
        addressValue?.report(
          "the address \(address.description) is already that of listener \(quoted(other.listener.name))")
      }
      var listener = Listener(name: name ?? "", address: address ?? HostPort(host: "", port: 0))
      mapping.read("proxyProtocol", into: &listener.proxyProtocol) { $0.boolean() }
      readSecurity(mapping, into: &listener)
      // Kept even with a bad address, so that references to its name are not reported as well.
      entries.append(Entry(listener: listener, tls: mapping["tls"]))
    }
    return entries
  }

  private static func readSecurity(_ mapping: MappingReader, into listener: inout Listener) {
    if let value = mapping["tls"], !value.isWord("off") {
      // After an error too: it is meant to have TLS, and is checked as such.
      listener.tls = ListenerTLSReader.read(value) ?? ListenerTLS()
    }
    mapping.read("h2c", into: &listener.h2c) { $0.boolean() }
    if case .on(let redirect)? = mapping["redirect"]?.override(HTTPSOnlyReader.readRedirect) {
      listener.redirect = redirect
    }
    if case .on(let hsts)? = mapping["hsts"]?.override(HTTPSOnlyReader.readHSTS) {
      listener.hsts = hsts
    }
    if listener.tls == nil {
      if listener.hsts != nil {
        mapping["hsts"]?.report(
          "hsts needs tls: browsers ignore it on plain connections",
          hint: "set it on a listener with tls, and redirect: https here")
      }
      return
    }
    mapping["h2c"]?.report(
      "h2c is for listeners without tls", hint: "with tls, protocols says what is spoken")
    if listener.redirect != nil {
      mapping["redirect"]?.report(
        "this would send clients back to this listener", hint: "set it on a listener without tls")
    }
  }

  /// The unique `name` of a listener, certificate, service or route.
  static func readName(_ mapping: MappingReader, _ kind: String, _ names: inout UniqueNames) -> String? {
    guard let value = mapping.required("name"), let name = value.name() else { return nil }
    names.insert(name, kind, at: value)
    return name
  }
}
