extension Value {
  /// An address to listen on: an IP address and a port; `:8080` and `*:8080` are every IPv4 address.
  func bindAddress() -> HostPort? {
    guard let text = text("an address such as 127.0.0.1:8080") else { return nil }
    guard let (host, port) = splitAddress(text) else { return nil }
    if host.isEmpty || host == "*" { return HostPort(host: "0.0.0.0", port: port) }
    guard IPAddressText.parse(host) != nil else {
      report(
        "\(quoted(host)) is not an IP address", hint: "such as 127.0.0.1:\(port), [::1]:\(port) or :\(port)")
      return nil
    }
    return HostPort(host: host.lowercased(), port: port)
  }

  /// An endpoint's address: an IP address or a name, and a port.
  func endpointAddress() -> HostPort? {
    guard let text = text("an address such as 10.0.0.1:8080") else { return nil }
    guard let (host, port) = splitAddress(text) else { return nil }
    if IPAddressText.parse(host) != nil { return HostPort(host: host.lowercased(), port: port) }
    let lastLabel = host.utf8.split(separator: 0x2E).last ?? host.utf8[...]
    // A name whose last label is a number can only be a mistyped address (RFC 3696 §2).
    if lastLabel.allSatisfy(isDigit), !host.isEmpty {
      report("\(quoted(host)) is not an IP address")
      return nil
    }
    do {
      return HostPort(host: try HostText.name(host, written: host), port: port)
    } catch {
      report(error.message, hint: error.hint)
      return nil
    }
  }

  /// Host without brackets, and port.
  private func splitAddress(_ text: String) -> (host: String, port: UInt16)? {
    if text.contains("://") {
      report("\(quoted(text)) is not an address", hint: "write HOST:PORT, without scheme and path")
      return nil
    }
    guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
      let isPort = !text.isEmpty && text.utf8.allSatisfy(isDigit)
      report(
        "\(quoted(text)) has no port",
        hint: "such as \(quoted(isPort ? "127.0.0.1:" + text : text + ":8080"))")
      return nil
    }
    var host = String(text[..<colon])
    let portText = text[text.index(after: colon)...]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed {
      host = String(host.dropFirst().dropLast())
      guard host.contains(":"), IPAddressText.parse(host) != nil else {
        report("\(quoted(host)) is not an IPv6 address")
        return nil
      }
    } else if host.contains(":") {
      report("\(quoted(text)) is not an address", hint: "write an IPv6 address in brackets: \"[::1]:8080\"")
      return nil
    }
    guard let number = decimal(Array(portText.utf8)[...]), let port = UInt16(exactly: number), port > 0 else {
      report("\(quoted(String(portText))) is not a port", hint: "from 1 to 65535")
      return nil
    }
    return (host, port)
  }
}

extension HostPort {
  /// The same address, however it is written.
  func isSameAddress(as other: HostPort) -> Bool {
    guard port == other.port else { return false }
    return host == other.host || (canonicalHost != nil && canonicalHost == other.canonicalHost)
  }

  var canonicalHost: [UInt8]? { IPAddressText.parse(host) }
}
