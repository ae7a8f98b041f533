/// Reads a listener's `tls`.
enum ListenerTLSReader {
  static let keys = [
    "profile", "protocols", "clientCertificates", "tickets", "handshakeTimeout", "unknownHost",
  ]
  static let clientKeys = ["verify", "ca", "crl", "depth"]
  static let ticketKeys = ["rotate", "file", "files"]
  static let allKeys = keys + clientKeys + ticketKeys

  static let depthMax = 10
  /// Each is tried on a ticket that comes in.
  static let ticketFilesMax = 16
  /// A ticket lives at most this long (RFC 8446 §4.6.1).
  static let rotationMax = Duration.seconds(7 * 86_400)

  static func read(_ value: Value) -> ListenerTLS? {
    if value.isWord("true") { return ListenerTLS() }
    guard let mapping = MappingReader(value, keys: keys, wanted: "a mapping, true, or off") else {
      return nil
    }
    var tls = ListenerTLS()
    mapping.read("profile", into: &tls.profile) { value in
      value.choice(ListenerTLS.Profile.allCases.map { ($0.rawValue, $0) })
    }
    mapping.read("protocols", into: &tls.protocols, readProtocols)
    mapping.read("clientCertificates", into: &tls.clientCertificates, readClientCertificates)
    mapping.read("tickets", into: &tls.tickets, readTickets)
    mapping.read("handshakeTimeout", into: &tls.handshakeTimeout) { $0.duration() }
    mapping.read("unknownHost", into: &tls.unknownHost) { value in
      value.choice(ListenerTLS.UnknownHost.allCases.map { ($0.rawValue, $0) })
    }
    return tls
  }

  private static func readProtocols(_ value: Value) -> [ListenerTLS.ApplicationProtocol]? {
    let example = "such as [h2, http/1.1]"
    guard let items = value.items("a list of protocols", hint: example) else { return nil }
    guard !items.isEmpty else {
      value.report("at least one protocol is needed", hint: example)
      return nil
    }
    var protocols: [ListenerTLS.ApplicationProtocol] = []
    for item in items {
      let words = ListenerTLS.ApplicationProtocol.allCases.map { (word: $0.rawValue, value: $0) }
      guard let read = item.choice(words) else { continue }
      if protocols.contains(read) { item.report("the protocol \(quoted(read.rawValue)) is listed twice") }
      protocols.append(read)
    }
    return protocols
  }

  private static func readClientCertificates(_ value: Value) -> ClientCertificates?? {
    if value.isWord("off") { return .some(nil) }
    let example = "such as {verify: required, ca: clients.pem}"
    guard let mapping = MappingReader(value, keys: clientKeys, wanted: "a mapping, or off", hint: example)
    else { return nil }
    let path = mapping.required("ca", "a PEM file with the authorities that sign clients' certificates")?
      .filePath("a file's path")
    var clients = ClientCertificates(authoritiesPath: path ?? "")
    mapping.read("verify", into: &clients.verification) { value in
      if value.isWord("off") {
        value.report("nothing is verified with this", hint: "write clientCertificates: off")
        return nil
      }
      return value.choice(ClientCertificates.Verification.allCases.map { ($0.rawValue, $0) })
    }
    mapping.read("crl", into: &clients.revocationsPath) { $0.filePath("a file's path") }
    mapping.read("depth", into: &clients.depth) { $0.integer(in: 0...depthMax) }
    return clients
  }

  private static func readTickets(_ value: Value) -> SessionTickets? {
    if value.isWord("off") { return .off }
    let example = "such as {rotate: 12h}, or {file: tickets.key}"
    guard let mapping = MappingReader(value, keys: ticketKeys, wanted: "a mapping, or off", hint: example)
    else { return nil }
    let present = ticketKeys.filter { mapping[$0] != nil }
    guard present.count == 1, let key = present.first, let inner = mapping[key] else {
      value.report("expected exactly one of rotate, file, files", hint: example)
      return nil
    }
    switch key {
    case "rotate": return inner.duration(longest: rotationMax).map(SessionTickets.rotating)
    case "file": return inner.filePath("a file's path").map { .files([$0]) }
    default: return readTicketFiles(inner)
    }
  }

  private static func readTicketFiles(_ value: Value) -> SessionTickets? {
    guard let items = value.items("a list of files", hint: "such as [new.key, old.key]") else { return nil }
    guard (1...ticketFilesMax).contains(items.count) else {
      value.report(
        items.isEmpty ? "at least one file is needed" : "\(items.count) files are too many",
        hint: items.isEmpty ? "write tickets: off for none" : "at most \(ticketFilesMax)")
      return nil
    }
    return .files(RouteReader.uniqueTexts(items.map { ($0, $0.filePath("a file's path")) }, "file"))
  }
}
