/// What a route's hosts and an endpoint's name may look like.
enum HostText {
  /// Why a text is not a host, and what would be right.
  struct Failure: Error, Equatable {
    var message: String
    var hint: String?
  }

  /// Octets of a name without the last dot (RFC 1035 §2.3.4).
  static let bytesMax = 253
  static let labelBytesMax = 63

  /// A route's host in canonical form: `api.example.com`, `*.example.com`, `[::1]`.
  static func routeHost(_ text: String) throws(Failure) -> String {
    if text == "*" {
      throw Failure(message: "\"*\" is not a host", hint: "leave hosts out to match any host")
    }
    if text.hasPrefix("["), text.hasSuffix("]") {
      guard IPAddressText.parse(String(text.dropFirst().dropLast())) != nil else {
        throw Failure(message: "\(quoted(text)) is not an IPv6 address in brackets")
      }
      return text.lowercased()
    }
    if text.hasPrefix("*.") { return "*." + (try name(String(text.dropFirst(2)), written: text)) }
    if text.utf8.contains(UInt8(ascii: "*")) {
      throw Failure(
        message: "\(quoted(text)): a wildcard has to be the whole first label",
        hint: "such as \"*.example.com\"")
    }
    return try name(text, written: text)
  }

  /// A name in lower case, checked label by label.
  static func name(_ text: String, written: String) throws(Failure) -> String {
    if isName(text.utf8) { return text.lowercased() }
    throw failure(of: text, written: written)
  }

  private static func isName(_ text: String.UTF8View) -> Bool {
    text.count <= bytesMax
      && text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
        !label.isEmpty && label.count <= labelBytesMax && label.first != UInt8(ascii: "-")
          && label.last != UInt8(ascii: "-") && label.allSatisfy(isLabelByte)
      }
  }

  // The underscore is not a host's (RFC 1123 §2.1), but names of containers have it.
  private static func isLabelByte(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || isDigit(byte)
      || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
  }

  /// What is wrong with a text that is no name.
  private static func failure(of text: String, written: String) -> Failure {
    let shown = quoted(written)
    if text.utf8.contains(where: { $0 >= 0x80 }) {
      let ascii = written.split(separator: ".", omittingEmptySubsequences: false)
        .map { Punycode.label(String($0)) }.joined(separator: ".")
      return Failure(message: "\(shown) is not ASCII", hint: "write its punycode form, \(quoted(ascii))")
    }
    if text.contains("/") {
      return Failure(
        message: "\(shown) is not a host", hint: "write the host alone, without scheme and path")
    }
    if text.contains(":") {
      return Failure(
        message: "\(shown) has a port", hint: "write the host alone; listeners decide about ports")
    }
    if text.hasSuffix("."), text.count > 1 {
      return Failure(message: "\(shown) ends in a dot", hint: "write it without the dot")
    }
    if text.isEmpty { return Failure(message: "\(shown) is not a host") }
    if text.utf8.count > bytesMax {
      return Failure(message: "\(shown) is longer than \(bytesMax) bytes")
    }
    let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return Failure(message: "\(shown) has \(labels.lazy.compactMap(problem).first ?? "no valid name")")
  }

  private static func problem(of label: Substring.UTF8View) -> String? {
    if label.isEmpty { return "an empty label" }
    if label.count > labelBytesMax { return "a label of more than \(labelBytesMax) bytes" }
    if label.first == UInt8(ascii: "-") || label.last == UInt8(ascii: "-") {
      return "a label that begins or ends with \"-\""
    }
    return label.allSatisfy(isLabelByte) ? nil : "characters that a host cannot have"
  }
}

/// The ASCII form of a label with other letters (RFC 3492), to say what to write instead.
enum Punycode {
  static func label(_ text: String) -> String {
    let scalars = text.lowercased().unicodeScalars.map(\.value)
    if scalars.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
    return "xn--" + encode(scalars)
  }

  /// RFC 3492 §6.3; a label is short, so the simple form of the loop does.
  private static func encode(_ scalars: [UInt32]) -> String {
    var output = scalars.filter { $0 < 0x80 }.map { UInt8($0) }
    let basicCount = output.count
    if basicCount > 0 { output.append(0x2D) }
    var handled = basicCount
    var code: UInt32 = 128
    var delta = 0
    var bias = 72
    while handled < scalars.count {
      guard let next = scalars.filter({ $0 >= code }).min() else { break }
      delta += Int(next - code) * (handled + 1)
      code = next
      for scalar in scalars {
        if scalar < code { delta += 1 }
        guard scalar == code else { continue }
        append(delta, bias: bias, to: &output)
        bias = adapt(delta, count: handled + 1, isFirst: handled == basicCount)
        delta = 0
        handled += 1
      }
      delta += 1
      code += 1
    }
    return String(decoding: output, as: UTF8.self)
  }

  private static func append(_ delta: Int, bias: Int, to output: inout [UInt8]) {
    var rest = delta
    var k = 36
    while true {
      let threshold = min(max(k - bias, 1), 26)
      guard rest >= threshold else { break }
      output.append(digit(threshold + (rest - threshold) % (36 - threshold)))
      rest = (rest - threshold) / (36 - threshold)
      k += 36
    }
    output.append(digit(rest))
  }

  /// RFC 3492 §6.1.
  private static func adapt(_ delta: Int, count: Int, isFirst: Bool) -> Int {
    var delta = isFirst ? delta / 700 : delta / 2
    delta += delta / count
    var k = 0
    while delta > 455 {
      delta /= 35
      k += 36
    }
    return k + 36 * delta / (delta + 38)
  }

  private static func digit(_ value: Int) -> UInt8 {
    UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30)
  }
}
