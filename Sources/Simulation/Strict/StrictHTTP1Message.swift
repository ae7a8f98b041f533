/// A message of HTTP/1.1 as ``StrictHTTP1Reader`` understood it.
public struct StrictHTTP1Message: Sendable {
  public struct Line: Sendable, Equatable {
    /// In lower case.
    public let name: String
    public let value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Method, target and version; or version, status and reason.
  public var start: [String] = []
  public var lines: [Line] = []
  public var content: [UInt8] = []
  public var trailers: [Line] = []

  public func values(of name: String) -> [String] { lines.filter { $0.name == name }.map(\.value) }

  /// Of a response.
  public var status: Int { start.count > 1 ? Int(start[1]) ?? 0 : 0 }

  /// `Connection` names `upgrade`.
  public var asksToUpgrade: Bool {
    values(of: "connection").contains { $0.lowercased().contains("upgrade") }
      && !values(of: "upgrade").isEmpty
  }

  /// How the content is delimited (RFC 9112 §6.3).
  enum Framing: Equatable {
    case none
    case length(Int)
    case chunked
    case untilClose
  }

  /// - Parameter requestMethod: of the request that this answers; nil: this is a request.
  func framing(requestMethod: String?) throws(StrictFault) -> Framing {
    let codings = values(of: "transfer-encoding")
    let lengths = values(of: "content-length")
    if !codings.isEmpty && !lengths.isEmpty { throw StrictFault("both Transfer-Encoding and Content-Length") }
    if codings.count > 1 || lengths.count > 1 { throw StrictFault("framing is said twice") }
    if let method = requestMethod {
      if status < 200 || status == 204 {
        guard codings.isEmpty, lengths.isEmpty else { throw StrictFault("framing in a \(status)") }
        return .none
      }
      if method == "HEAD" || status == 304 { return .none }
    }
    if let coding = codings.first {
      guard coding == "chunked" else { throw StrictFault("the transfer coding '\(coding)'") }
      return .chunked
    }
    if let length = lengths.first {
      guard !length.isEmpty, length.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let count = Int(length) else {
        throw StrictFault("the length '\(length)'")
      }
      return count == 0 ? .none : .length(count)
    }
    return requestMethod == nil ? .none : .untilClose
  }
}
