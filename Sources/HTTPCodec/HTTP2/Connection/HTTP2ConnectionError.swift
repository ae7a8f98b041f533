/// Why a connection ends: answer with ``HTTP2Engine/goAway(_:debug:into:)``, send what is in the
/// output, and close (RFC 9113 §5.4.1).
public struct HTTP2ConnectionError: Error, Sendable {
  public let code: HTTP2ErrorCode
  /// For logs and for the peer: what is wrong, and which rule says so.
  public let reason: StaticString

  public init(_ code: HTTP2ErrorCode, _ reason: StaticString) {
    self.code = code
    self.reason = reason
  }
}

extension HTTP2ConnectionError: CustomStringConvertible {
  public var description: String { "\(code): \(reason)" }
}
