import HTTPCodec
import Runtime

/// Limits of content that plugins set for one exchange, in ``Plugin/requestHead(_:)``.
extension Exchange {
  /// What comes of the request's content may not be longer. Without effect on what is allowed less already.
  /// - Returns: false where it is said to be longer.
  public func limitContent(to bytes: UInt64) -> Bool {
    bodyBytesMax = min(bodyBytesMax, bytes)
    if case .length(let length) = request.framing, length > bytes { return false }
    return record.requestBodyBytes <= bytes
  }

  /// What comes of a service's content may not be longer: it is answered with 502, or cut off where it has begun.
  public func limitResponseContent(to bytes: UInt64) { responseBytesMax = min(responseBytesMax, bytes) }

  /// Sends the request's content to the endpoint no faster than this.
  /// - rate: Bytes a second, 1 to 2⁴⁰.
  /// - after: Bytes that go as fast as they can before that.
  public func limitRequestRate(to rate: UInt64, after bytes: UInt64) {
    uploadPace = Pace(rate: rate, after: bytes)
  }

  /// Sends a service's response to the client no faster than this; the same units.
  public func limitResponseRate(to rate: UInt64, after bytes: UInt64) {
    downloadPace = Pace(rate: rate, after: bytes)
  }

  /// Has the request's content wait for its turn among all that share a rate.
  public func shareRequestRate(_ pace: SharedPace) { uploadPace.share(pace) }

  /// The same for a service's response. Behind ``limitResponseRate(to:after:)``, where both hold.
  public func shareResponseRate(_ pace: SharedPace) { downloadPace.share(pace) }

  /// The response's head has come.
  /// - Returns: whether it announces more than there may be.
  func refusesLongResponse() -> Bool {
    guard case .length(let length) = responseHead.framing, length > responseBytesMax,
      request.method != .head
    else { return false }
    end = .upstreamFailed(.tooLarge)
    return true
  }
}
