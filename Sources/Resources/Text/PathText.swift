/// Paths of routes: they are compared with normalised request paths, so they have to be normal.
enum PathText {
  /// Why a text is not a path, and what would be right.
  struct Failure: Error, Equatable {
    var message: String
    var hint: String?
  }

  /// Checks that `text` begins with `/` and is in the form to which request paths are brought.
  static func check(_ text: String) throws(Failure) {
    let shown = quoted(text)
    guard text.utf8.first == 0x2F else {
      throw Failure(message: "\(shown) does not begin with \"/\"", hint: "write \(quoted("/" + text))")
    }
    if text.contains("?") || text.contains("#") {
      throw Failure(
        message: "\(shown) has a query or fragment", hint: "match the query with query: {NAME: VALUE}")
    }
    guard let canonical = canonical(Array(text.utf8)) else {
      throw Failure(
        message: "\(shown) has a \"%\" without two hexadecimal digits, or %00", hint: "a \"%\" itself is %25")
    }
    let right = String(decoding: canonical, as: UTF8.self)
    guard right == text else {
      throw Failure(
        message: "\(shown) is not normalised and would never match", hint: "write \(quoted(right))")
    }
  }

  /// RFC 3986 §6.2.2 with empty segments removed: what an exact path looks like on a request.
  private static func canonical(_ bytes: [UInt8]) -> [UInt8]? {
    guard let decoded = normaliseEscapes(bytes) else { return nil }
    let endsInSlash = decoded.last == 0x2F || decoded.hasDotSegmentAtEnd
    var segments: [ArraySlice<UInt8>] = []
    for segment in decoded.split(separator: 0x2F) {
      if segment.elementsEqual([0x2E]) { continue }
      if segment.elementsEqual([0x2E, 0x2E]) {
        _ = segments.popLast()
      } else {
        segments.append(segment)
      }
    }
    guard !segments.isEmpty else { return [0x2F] }
    return segments.flatMap { [0x2F] + $0 } + (endsInSlash ? [0x2F] : [])
  }

  /// Escapes of unreserved characters decoded, others in upper case; what is not allowed in a path
  /// is escaped (RFC 3986 §2.3, §3.3, §6.2.2.1).
  private static func normaliseEscapes(_ bytes: [UInt8]) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    var position = 0
    while position < bytes.count {
      var byte = bytes[position]
      let isEscape = byte == 0x25
      if isEscape {
        guard position + 2 < bytes.count, let high = hexadecimalValue(bytes[position + 1]),
          let low = hexadecimalValue(bytes[position + 2])
        else { return nil }
        byte = high << 4 | low
        guard byte != 0 else { return nil }
      }
      position += isEscape ? 3 : 1
      if isUnreserved(byte) || (!isEscape && isPathDelimiter(byte)) {
        output.append(byte)
      } else {
        output += [0x25] + Array(hexadecimal(byte).utf8)
      }
    }
    return output
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || "-._~".utf8.contains(byte)
  }

  private static func isPathDelimiter(_ byte: UInt8) -> Bool { "/!$&'()*+,;=:@".utf8.contains(byte) }
}

extension [UInt8] {
  /// `/a/.` and `/a/..` name directories, as `/a/` does (RFC 3986 §5.2.4).
  fileprivate var hasDotSegmentAtEnd: Bool {
    let last = suffix(from: (lastIndex(of: 0x2F) ?? -1) + 1)
    return last.elementsEqual([0x2E]) || last.elementsEqual([0x2E, 0x2E])
  }
}

/// `text` for a message: in quotes, control characters escaped, cut to a bearable length.
func quoted(_ text: String) -> String {
  var shown = "\""
  for scalar in text.unicodeScalars.prefix(120) {
    switch scalar {
    case "\"": shown += "\\\""
    case "\\": shown += "\\\\"
    case "\n": shown += "\\n"
    case "\t": shown += "\\t"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F:
      shown += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
    default: shown.unicodeScalars.append(scalar)
    }
  }
  return shown + (text.unicodeScalars.count > 120 ? "…\"" : "\"")
}
