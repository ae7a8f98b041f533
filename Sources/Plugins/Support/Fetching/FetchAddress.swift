import HTTPCodec
import Resources

/// What a plugin fetches by HTTP: an absolute URL (RFC 9110 §4.2).
struct FetchAddress: Sendable, Hashable {
  let isHTTPS: Bool
  /// Without brackets.
  let host: String
  let port: UInt16
  /// As `Host` has it.
  let authority: String
  /// Path and query.
  let target: String

  private static let bytesMax = 2_048

  init(_ text: String, option: String) throws(OptionProblem) {
    func problem(_ message: String) -> OptionProblem {
      OptionProblem(option, message, hint: "such as https://login.example.com/.well-known/jwks.json")
    }
    guard text.utf8.count <= Self.bytesMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw problem("this is not a URL")
    }
    let lower = text.lowercased()
    guard lower.hasPrefix("https://") || lower.hasPrefix("http://") else {
      throw problem("\"\(text)\" begins with neither https:// nor http://")
    }
    isHTTPS = lower.hasPrefix("https://")
    let rest = text.dropFirst(isHTTPS ? 8 : 7)
    if rest.contains("#") { throw problem("a fragment is for readers, not for servers") }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<end]
    guard !authority.contains("@") else { throw problem("names and passwords in URLs are not sent") }
    var host = authority
    var port: UInt16 = isHTTPS ? 443 : 80
    let afterBracket = authority.lastIndex(of: "]") ?? authority.startIndex
    if let colon = authority[afterBracket...].lastIndex(of: ":") {
      guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else {
        throw problem("this is not a port")
      }
      port = number
      host = authority[..<colon]
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    let isName = host.utf8.allSatisfy {
      $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || Self.isName($0)
    }
    guard !host.isEmpty, isName || authority.hasPrefix("[") else { throw problem("this is not a host") }
    self.host = String(host)
    self.port = port
    self.authority = String(authority)
    let path = rest[end...]
    target = path.isEmpty ? "/" : path.hasPrefix("/") ? String(path) : "/" + path
  }

  private static func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
    default: false
    }
  }

  /// For logs.
  var description: String { (isHTTPS ? "https://" : "http://") + authority + target }
}
