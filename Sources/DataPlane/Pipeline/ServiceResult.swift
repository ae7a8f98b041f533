import HTTPCodec

/// What came of a request at the service that it was sent to.
public enum ServiceResult: Equatable, Sendable {
  /// It went to none, or ended without saying anything of the service: the client left, or its own deadline passed.
  case unknown
  /// An endpoint has answered with this status.
  case answered(UInt16)
  /// No connection, no answer in time, or one that broke off.
  case failed
}

extension Exchange {
  /// What came of the request at its service. In ``Plugin/end(_:)``.
  public var serviceResult: ServiceResult {
    switch record.outcome {
    case .proxied: .answered(responseHead.status)
    case .connectFailure, .upstreamFailure: .failed
    case .responseTimeout: worker.now >= callDeadline ? .unknown : .failed
    case .clientClosed:
      // A response was on its way, and is the endpoint's last word.
      servedBy != nil && record.responseNanoseconds >= 0 ? .answered(responseHead.status) : .unknown
    case .answered, .badRequest, .clientTimeout, .noEndpoint, .overloaded: .unknown
    }
  }
}
