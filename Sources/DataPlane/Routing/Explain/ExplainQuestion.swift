import HTTPCodec
import Resources
import Runtime

/// A request that nobody has sent: what would become of it?
public struct ExplainQuestion: Sendable {
  public struct Field: Sendable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  public enum Scheme: String, Sendable {
    case http, https
  }

  public var scheme: Scheme
  /// As in the URL: with TLS, what the client names as the server; IPv6 in brackets.
  public var host: String
  /// Nil: the scheme's own, or that of the only listener that speaks it.
  public var port: UInt16?
  /// With its query, as it would be sent: `/cart?x=1`.
  public var target: String
  public var method = "GET"
  /// A `Host` here takes the place of the URL's host for everything but TLS.
  public var headers: [Field] = []
  /// A listener's name; nil: the one that the port and the scheme stand for.
  public var listener: String?
  /// The client's address, where a service goes by it.
  public var client: SocketAddress?

  public init(scheme: Scheme, host: String, target: String) {
    self.scheme = scheme
    self.host = host
    self.target = target
  }
}

/// The question as a request that was received.
public struct ExplainedRequest {
  /// The client's address, where the question names one.
  public let sender: SocketAddress?
  public internal(set) var routeName: [UInt8] = []
  public internal(set) var serviceName: [UInt8] = []
  let head: RequestHead
  let bytes: [UInt8]
  /// Normalised; `/` where there is none.
  let path: [UInt8]

  /// What becomes of a request that cannot be read.
  init(_ question: ExplainQuestion, limits: HTTP1Limits) throws(HTTP1Error) {
    let texts =
      [question.method, question.target, question.host] + question.headers.flatMap { [$0.name, $0.value] }
    // Else one field could pass for two.
    for text in texts where text.utf8.contains(where: { $0 == 13 || $0 == 10 || $0 == 0 }) {
      throw .controlCharacter
    }
    var text = "\(question.method) \(question.target.isEmpty ? "/" : question.target) HTTP/1.1\r\n"
    if !question.headers.contains(where: { $0.name.lowercased() == "host" }) {
      let port = question.port.map { ":\($0)" } ?? ""
      text += "Host: \(question.host)\(port)\r\n"
    }
    for field in question.headers { text += "\(field.name): \(field.value)\r\n" }
    let bytes = Array((text + "\r\n").utf8)
    var parser = RequestParser(limits: limits)
    var head = RequestHead()
    guard try parser.parse(bytes.span, into: &head) else { throw .invalidTarget }
    var path = [UInt8(ascii: "/")]
    if !head.path.isEmpty,
      try !PathNormaliser.normalise(bytes.span.extracting(head.path.range), into: &path)
    {
      path = Array(bytes[head.path.range])
    }
    sender = question.client
    self.bytes = bytes
    self.head = head
    self.path = path
  }

  var host: [UInt8] { Array(bytes[head.host.range]) }

  var hostText: String { String(decoding: host.map { $0.asciiLowercased }, as: UTF8.self) }

  func text(_ range: ByteRange) -> String { String(decoding: bytes[range.range], as: UTF8.self) }
}
