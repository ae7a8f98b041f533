import HTTPCodec
import Resources
import Runtime

/// An answer of the gateway's own.
enum Answer {
  case badRequest(HTTP1Error)
  /// HTTP without TLS came to a listener with TLS.
  case plainHTTP
  /// The connection's certificate is for other hosts.
  case misdirected
  /// To the same URL with https.
  case redirect(HTTPSRedirect)
  /// The protocol that the client wants to switch to is not spoken here.
  case upgradeNotSupported
  /// The call's own deadline has passed.
  case deadlineExceeded
  case noRoute
  case methodNotSupported
  /// To an OPTIONS request that must not go any further.
  case options
  case contentTooLarge
  case noEndpoint
  case overloaded
  /// The gateway protects itself, or the service, from more than can be done.
  case shed(RefusalReason)
  case connectFailure
  case connectTimeout
  case upstreamFailure
  /// The endpoint's response is longer than it may be.
  case responseTooLarge
  case responseTimeout
  case clientTimeout
  /// Nobody is left to answer.
  case clientClosed
  case plugin(PluginAnswer)
  /// A plugin cannot do what it is for.
  case pluginFailure

  var status: UInt16 {
    switch self {
    case .badRequest(let error): error.status
    case .plainHTTP: 400
    case .misdirected: 421
    case .redirect(let redirect): redirect.status
    case .upgradeNotSupported: 501
    case .options: 200
    case .noRoute: 404
    case .methodNotSupported: 405
    case .contentTooLarge: 413
    case .noEndpoint, .overloaded, .shed: 503
    case .connectFailure, .upstreamFailure, .responseTooLarge: 502
    case .connectTimeout, .responseTimeout, .deadlineExceeded: 504
    case .clientTimeout: 408
    case .clientClosed: 499
    case .plugin(let answer): answer.status
    case .pluginFailure: 500
    }
  }

  var outcome: Outcome {
    switch self {
    case .badRequest, .contentTooLarge, .plainHTTP: .badRequest
    case .noRoute, .methodNotSupported, .options, .misdirected, .redirect, .upgradeNotSupported,
      .plugin, .pluginFailure:
      .answered
    case .noEndpoint: .noEndpoint
    case .overloaded, .shed: .overloaded
    case .connectFailure, .connectTimeout: .connectFailure
    case .upstreamFailure, .responseTooLarge: .upstreamFailure
    case .responseTimeout, .deadlineExceeded: .responseTimeout
    case .clientTimeout: .clientTimeout
    case .clientClosed: .clientClosed
    }
  }

  /// One sentence for the person who sees it; it says nothing about the inside.
  var text: StaticString {
    switch self {
    case .badRequest(let error):
      switch error.status {
      case 414: "The request target is too long.\n"
      case 417: "The expectation is not supported.\n"
      case 431: "The request's header fields are too large.\n"
      case 501: "The request uses something that is not implemented.\n"
      case 505: "The HTTP version is not supported.\n"
      default: "The request is malformed.\n"
      }
    case .plainHTTP: "HTTP was sent to an address that expects HTTPS.\n"
    case .misdirected: "This connection's certificate is not for this host.\n"
    case .redirect: "This resource is served with https.\n"
    case .upgradeNotSupported: "The protocol to switch to is not supported.\n"
    case .noRoute: "No route matches this request.\n"
    case .methodNotSupported: "The method is not supported.\n"
    case .contentTooLarge: "The request's content is too large.\n"
    case .noEndpoint: "The service has no available endpoint.\n"
    case .overloaded, .shed(.serviceConcurrency): "The service is overloaded.\n"
    case .shed: "The gateway is overloaded.\n"
    case .connectFailure: "The service cannot be reached.\n"
    case .connectTimeout: "The service did not accept the connection in time.\n"
    case .upstreamFailure: "The service failed to answer.\n"
    case .responseTooLarge: "The service's answer is too large.\n"
    case .responseTimeout, .deadlineExceeded: "The service did not answer in time.\n"
    case .clientTimeout: "The request did not arrive in time.\n"
    case .pluginFailure: "The gateway failed to decide on this request.\n"
    case .clientClosed, .options, .plugin: ""
    }
  }

  /// It came from an endpoint before, and has its date.
  var isStored: Bool {
    if case .plugin(let answer) = self { return answer.isStored }
    return false
  }

  var contentCount: Int {
    if case .plugin(let answer) = self { return answer.contentCount }
    return text.utf8CodeUnitCount
  }

  func appendContent(to out: Buffer) {
    if case .plugin(let answer) = self { out.append(answer.content) } else { out.append(text) }
  }

  /// Empty: there is no content.
  var contentType: [UInt8] {
    if case .plugin(let answer) = self { return answer.contentType }
    return Self.plainText
  }

  private static let plainText = Array("text/plain; charset=utf-8".utf8)

  /// The reason phrase (RFC 9110 §15).
  static func reason(of status: UInt16) -> StaticString {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 203: "Non-Authoritative Information"
    case 204: "No Content"
    case 205: "Reset Content"
    case 206: "Partial Content"
    case 300: "Multiple Choices"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 402: "Payment Required"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 416: "Range Not Satisfiable"
    case 417: "Expectation Failed"
    case 418: "I'm a teapot"
    case 421: "Misdirected Request"
    case 422: "Unprocessable Content"
    case 425: "Too Early"
    case 426: "Upgrade Required"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 451: "Unavailable For Legal Reasons"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: status < 400 ? "OK" : "Error"
    }
  }
}
