/// Reads one of `listeners`.
enum ListenerReader {
  static let keys = ["name", "address", "proxyProtocol", "tls", "h2c", "redirect", "hsts", "connections"]

  /// After an error, what could be read.
  ///
  /// - name: Where it is known without being written.
  static func read(_ value: Value, name known: String? = nil) -> Listener? {
    guard let mapping = MappingReader(value, keys: keys, hint: "such as {name: web, address: \":8080\"}")
    else { return nil }
    let name = mapping.resourceName(known)
    let address = mapping.required("address")?.bindAddress()
    // Without an address it is kept, so that references to its name are not reported as well.
    var listener = Listener(name: name ?? "", address: address ?? HostPort(host: "", port: 0))
    mapping.read("proxyProtocol", into: &listener.proxyProtocol) { $0.boolean() }
    mapping.read("connections", into: &listener.connections) {
      $0.integerOrNone(in: 1...HTTPSettingsReader.connectionsMax)
    }
    readSecurity(mapping, into: &listener)
    return listener
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
}
