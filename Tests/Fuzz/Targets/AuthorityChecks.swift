import Glibc
import HTTPCodec

/// Hosts with an optional port: the input, as a `Host` field, in a target in absolute form, in one of
/// CONNECT and as `:authority`.
///
/// - A plain and slow reading of the rules comes to the same result; IPv6 literals are those that the
///   system reads.
/// - All places agree on what a host is.
enum AuthorityChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    // Others end the field or the target, and belong to other targets.
    guard !input.isEmpty, input.allSatisfy({ 0x21...0x7E ~= $0 }) else { return }
    let expected = reference(input)
    let asField = request("GET / HTTP/1.1\r\nHost: ", input, "\r\n\r\n")
    try require(
      asField?.host == expected?.host, "as Host: \(text(asField?.host)), not \(text(expected?.host))")
    if let asField { try require(asField.authority == input, "the authority is not what was sent") }

    if input.allSatisfy({ !Array("/?#@".utf8).contains($0) }) {
      let absolute = request("GET http://", input, "/ HTTP/1.1\r\nHost: other\r\n\r\n")
      try require(absolute?.host == expected?.host, "in a target: \(text(absolute?.host))")
      let connect = request("CONNECT ", input, " HTTP/1.1\r\nHost: other\r\n\r\n")
      let withPort = expected?.hasPort == true ? expected?.host : nil
      try require(connect?.host == withPort, "of CONNECT: \(text(connect?.host))")
    }
    let field = try authority(input)
    try require(field == expected?.host, "as :authority: \(text(field)), not \(text(expected?.host))")
  }

  private static func request(_ before: String, _ input: [UInt8], _ after: String) -> RequestText? {
    let bytes = Array(before.utf8) + input + Array(after.utf8)
    var parser = RequestParser()
    var head = RequestHead()
    guard (try? parser.parse(bytes.span, into: &head)) == true else { return nil }
    return RequestText(head, bytes)
  }

  private static func authority(_ input: [UInt8]) throws(BrokenProperty) -> [UInt8]? {
    var encoder = HPACKEncoder()
    encoder.begin()
    encoder.encode(method: .get, .empty, in: input.span)
    encoder.encode(schemeIsHTTPS: true)
    encoder.encode(path: Array("/".utf8).span)
    encoder.encode(authority: input.span)
    var decoder = HPACKDecoder()
    var head = RequestHead()
    let sink = Sink()
    do throws(HTTP2BlockError) {
      try decoder.decodeRequest(
        encoder.block, into: sink, head: &head, endStream: true, limits: HTTP2HeadLimits())
    } catch { return nil }
    try requireWithin(sink.count, [head.authority, head.host])
    return Array(sink.bytes[head.host.range])
  }

  // MARK: The rules, slowly

  private static let nameCharacters = Set(
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

  private static func reference(_ input: [UInt8]) -> (host: [UInt8], hasPort: Bool)? {
    guard input.count <= 262 else { return nil }
    if input[0] == UInt8(ascii: "[") {
      guard let close = input.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      guard isIPv6(Array(input[1..<close])) else { return nil }
      return withPort(Array(input[...close]), input[(close + 1)...])
    }
    let end = input.firstIndex(of: UInt8(ascii: ":")) ?? input.count
    var labels = input[..<end].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
    guard labels.allSatisfy({ !$0.isEmpty && $0.allSatisfy(nameCharacters.contains) }) else { return nil }
    return withPort(Array(labels.joined(separator: [UInt8(ascii: ".")])), input[end...])
  }

  private static func withPort(
    _ host: [UInt8], _ rest: ArraySlice<UInt8>
  ) -> (host: [UInt8], hasPort: Bool)? {
    guard let colon = rest.first else { return (host, false) }
    let digits = rest.dropFirst()
    guard colon == UInt8(ascii: ":"), 1...5 ~= digits.count, digits.allSatisfy({ 48...57 ~= $0 }),
      UInt16(String(decoding: digits, as: UTF8.self)) != nil
    else { return nil }
    return (host, true)
  }

  /// Whether the system reads this as an IPv6 address.
  static func isIPv6(_ text: [UInt8]) -> Bool {
    var address = in6_addr()
    // The system's function takes C's pointers; both live as long as the call.
    return unsafe inet_pton(AF_INET6, String(decoding: text, as: UTF8.self), &address) == 1
  }

  private static func text(_ bytes: [UInt8]?) -> String {
    bytes.map { String(decoding: $0, as: UTF8.self).debugDescription } ?? "nothing"
  }
}
