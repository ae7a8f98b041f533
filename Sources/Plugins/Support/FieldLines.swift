import DataPlane
import Resources

/// Lines of fields that a plugin writes: `name: value` and CRLF each.
enum FieldLines {
  /// Without white space around the value, which HTTP/2 forbids (RFC 9113 §8.2.1).
  static func append(_ name: [UInt8], _ value: some BidirectionalCollection<UInt8>, to lines: inout [UInt8]) {
    lines += name
    lines.append(UInt8(ascii: ":"))
    lines.append(UInt8(ascii: " "))
    let start = value.firstIndex { $0 != 0x20 && $0 != 0x09 } ?? value.endIndex
    let end = value.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { value.index(after: $0) } ?? value.endIndex
    lines += value[start..<end]
    lines.append(13)
    lines.append(10)
  }

  /// Of a value that is longer, most servers would refuse the head.
  static let valueBytesMax = 16_384

  /// Nothing where the request gives the text no value, or one that is too long.
  static func append(_ name: [UInt8], _ value: TextTemplate, of exchange: Exchange, to lines: inout [UInt8]) {
    let text = value.text(of: exchange, .fieldValue)
    guard text.count <= valueBytesMax, text.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { return }
    append(name, text, to: &lines)
  }

  static func line(_ name: String, _ value: String) -> [UInt8] {
    var line: [UInt8] = []
    append(Array(name.utf8), Array(value.utf8), to: &line)
    return line
  }
}

/// Names of fields that the gateway writes itself, and what does what somebody wants who sets them.
enum OwnedFields {
  /// Names are kept behind one byte of length.
  static let nameBytesMax = 255

  private static let framing: Set<String> = [
    "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding",
    "upgrade",
  ]
  private static let forwarding: Set<String> = [
    "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
    "x-request-id",
  ]

  /// - option: For messages.
  static func checkRequest(_ name: String, option: String) throws(OptionProblem) {
    let hint: String
    switch name.lowercased() {
    case "host": hint = "the plugin rewrite sets it with host"
    case let name where forwarding.contains(name): hint = "http.forwarding says what endpoints are told"
    case "client-cert", "client-cert-chain": hint = "http.forwarding.clientCertificate sends it"
    case "max-forwards": hint = "it is counted down with each request"
    default: return try checkMessage(name, option: option)
    }
    throw refusal(name, option, hint)
  }

  /// - adds: Whether it is written, and not only removed from what an endpoint has sent.
  static func checkResponse(_ name: String, option: String, adds: Bool) throws(OptionProblem) {
    switch name.lowercased() {
    case "date": throw refusal(name, option, "every response has the time at which it was made")
    case "via": throw refusal(name, option, "http.forwarding.via switches it off")
    case "strict-transport-security" where adds:
      throw refusal(name, option, "hsts of the route or the listener sets it")
    default: try checkMessage(name, option: option)
    }
  }

  static func checkMessage(_ name: String, option: String) throws(OptionProblem) {
    guard name.utf8.count <= nameBytesMax else {
      throw OptionProblem(option, "the name is longer than \(nameBytesMax) bytes")
    }
    guard framing.contains(name.lowercased()) else { return }
    throw refusal(name, option, "it is for one connection, or follows from the content")
  }

  private static func refusal(_ name: String, _ option: String, _ hint: String) -> OptionProblem {
    OptionProblem(option, "the field \(name) is the gateway's own", hint: hint)
  }
}
