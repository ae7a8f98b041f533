/// A request method (RFC 9110 §9, RFC 5789). Methods are case-sensitive.
public enum HTTPMethod: UInt8, Sendable, CaseIterable {
  case get, head, post, put, delete, connect, options, trace, patch
  /// A token that is none of the above; its bytes are in ``RequestHead/methodRange``.
  case other

  /// A request that may be sent again although its answer was lost (RFC 9110 §9.2.2).
  @inlinable
  public var isIdempotent: Bool {
    switch self {
    case .get, .head, .put, .delete, .options, .trace: true
    case .post, .connect, .patch, .other: false
    }
  }
}
