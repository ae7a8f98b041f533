/// When a worker takes itself for overloaded, and what it gives itself to do then. Others than
/// ``standard`` are for simulations, in which a handful of requests has to be an overload.
public struct OverloadBounds: Sendable {
  /// A delay has to last for so long; CoDel's own.
  public var intervalNanoseconds: Int64 = 100_000_000
  /// What has to be done before a ready socket's turn comes, in requests, for its delay to count. Clients
  /// that send their next request after a response are no surplus as long as they are fewer.
  public var queueMin = 512
  /// What a round may take during an overload. A request waits for about three: to be begun, for its
  /// response, and for what its neighbours do.
  public var roundNanoseconds: Int64 = 300_000
  /// Without a refusal for this long, the overload is over.
  public var calmNanoseconds: Int64 = 500_000_000
  /// Requests that may be begun in the first round of an overload.
  public var firstLimit: Double = 32

  public init() {}

  public static let standard = OverloadBounds()
}
