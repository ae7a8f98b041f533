import DataPlane
import HTTPCodec
import Resources
import Runtime

/// What a text of the configuration may say of a request; the names are nginx's where nginx has them.
enum RequestVariable: Sendable, Equatable {
  case remoteAddress, scheme, host, authority, method, uri, requestURI, query, requestID, consumerName,
    routeName
  case serviceName
  /// In lower case.
  case field([UInt8])
  case parameter([UInt8])
  case cookie([UInt8])

  static let names =
    "one of $remote_addr, $scheme, $host, $request_method, $uri, $request_uri, $args, $request_id, "
    + "$consumer_name, $route_name, $service_name, $http_NAME, $arg_NAME, $cookie_NAME"

  init?(_ name: String) {
    switch name {
    case "remote_addr": self = .remoteAddress
    case "scheme": self = .scheme
    case "host": self = .host
    case "http_host": self = .authority
    case "request_method": self = .method
    case "uri": self = .uri
    case "request_uri": self = .requestURI
    case "args": self = .query
    case "request_id": self = .requestID
    case "consumer_name": self = .consumerName
    case "route_name": self = .routeName
    case "service_name": self = .serviceName
    default:
      if let rest = Self.rest(of: name, behind: "http_") {
        self = .field(rest.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0.asciiLowercased })
      } else if let rest = Self.rest(of: name, behind: "arg_") {
        self = .parameter(rest)
      } else if let rest = Self.rest(of: name, behind: "cookie_") {
        self = .cookie(rest)
      } else {
        return nil
      }
    }
  }

  private static func rest(of name: String, behind prefix: String) -> [UInt8]? {
    guard name.hasPrefix(prefix), name.utf8.count > prefix.utf8.count else { return nil }
    return Array(name.utf8.dropFirst(prefix.utf8.count))
  }

  /// Whether its value is written as in a URI already.
  var isURI: Bool {
    switch self {
    // A host was checked when the request was read: a name, or an IPv6 address in brackets.
    case .host, .authority, .uri, .requestURI, .query: true
    default: false
    }
  }

  /// Empty where the request has none.
  func value(of exchange: Exchange) -> [UInt8] {
    switch self {
    case .remoteAddress: Array(exchange.clientAddress.host.utf8)
    case .scheme: exchange.isTLS ? Self.https : Self.http
    case .host: exchange.host
    case .authority: exchange.copy(exchange.request.authority)
    case .method: exchange.method
    case .uri: Self.path(of: exchange)
    case .requestURI: Self.path(of: exchange) + (exchange.request.hasQuery ? [0x3F] + exchange.query : [])
    case .query: exchange.query
    case .requestID: exchange.requestName
    case .consumerName: exchange.consumer?.nameBytes ?? []
    case .routeName: exchange.routeName
    case .serviceName: exchange.serviceName
    case .field(let name): exchange.firstField(name).map(exchange.copy) ?? []
    case .parameter(let name): exchange.queryParameter(name) ?? []
    case .cookie(let name): exchange.cookie(name) ?? []
    }
  }

  private static let http = Array("http".utf8)
  private static let https = Array("https".utf8)

  static func path(of exchange: Exchange) -> [UInt8] {
    exchange.withPath { path in
      var bytes: [UInt8] = []
      bytes.reserveCapacity(path.count)
      for index in path.indices { bytes.append(path[index]) }
      return bytes
    }
  }
}

/// How what comes from a request is written at the place where it stands.
enum TextEscaping: Sendable {
  /// In a value of a field: control characters become spaces.
  case fieldValue
  /// In a path or query: what is not unreserved is percent-encoded, but where it is URI text already.
  case uri
  /// Within a string of JSON (RFC 8259 §7).
  case json
  /// In a text or an attribute of HTML or XML.
  case html
  case none

  /// What a content type asks for.
  init(contentType: String) {
    let type = contentType.lowercased().prefix { $0 != ";" }
    if type.contains("json") {
      self = .json
    } else if type.contains("html") || type.contains("xml") {
      self = .html
    } else {
      self = .none
    }
  }

  func append(_ bytes: some Sequence<UInt8>, isURI: Bool, to text: inout [UInt8]) {
    switch self {
    case .none: text += bytes
    case .fieldValue:
      for byte in bytes { text.append(byte < 0x20 || byte == 0x7F ? 0x20 : byte) }
    case .uri:
      for byte in bytes { Self.appendURI(byte, isURI: isURI, to: &text) }
    case .json:
      for byte in bytes { Self.appendJSON(byte, to: &text) }
    case .html:
      for byte in bytes { Self.appendHTML(byte, to: &text) }
    }
  }

  private static func appendURI(_ byte: UInt8, isURI: Bool, to text: inout [UInt8]) {
    // Browsers read a backslash as a slash, and two of these at the beginning as another host.
    let isFine = isURI ? byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\\") : URIText.isUnreserved(byte)
    if isFine { text.append(byte) } else { URIText.appendEncoded(byte, to: &text) }
  }

  private static func appendJSON(_ byte: UInt8, to text: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      text.append(UInt8(ascii: "\\"))
      text.append(byte)
    case 0..<0x20, 0x7F, UInt8(ascii: "<"):
      // `<` as well, for JSON within HTML.
      text += "\\u00".utf8
      text.append(URIText.digit(byte >> 4))
      text.append(URIText.digit(byte & 15))
    default: text.append(byte)
    }
  }

  private static func appendHTML(_ byte: UInt8, to text: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "&"): text += "&amp;".utf8
    case UInt8(ascii: "<"): text += "&lt;".utf8
    case UInt8(ascii: ">"): text += "&gt;".utf8
    case UInt8(ascii: "\""): text += "&quot;".utf8
    case UInt8(ascii: "'"): text += "&#39;".utf8
    default: text.append(byte)
    }
  }
}

/// Percent-encoding (RFC 3986 §2.1).
enum URIText {
  static func isUnreserved(_ byte: UInt8) -> Bool {
    byte.asciiLowercased &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: ".")
      || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
  }

  static func appendEncoded(_ byte: UInt8, to text: inout [UInt8]) {
    text.append(UInt8(ascii: "%"))
    text.append(digit(byte >> 4))
    text.append(digit(byte & 15))
  }

  static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    for byte in bytes { if isUnreserved(byte) { text.append(byte) } else { appendEncoded(byte, to: &text) } }
    return text
  }

  static func digit(_ value: UInt8) -> UInt8 { value < 10 ? value &+ 0x30 : value &+ 0x37 }
}
