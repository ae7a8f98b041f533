/// How slow a client may be while the gateway has to wait for it.
///
/// For clients that trickle: silence has ``ClientTimeouts``. Only time in which the client is waited for
/// counts. Kestrel's defaults are 240 bytes a second after 5 s, Apache's `mod_reqtimeout` asks for 500 after 20 s.
public struct ClientRates: Sendable, Equatable {
  /// Bytes of a request's content in a second; 408 below. `nil`: no limit.
  public var body: Int? = 240
  /// Bytes of a response that the client has to take in a second, or it is cut off. `nil`: no limit.
  public var response: Int? = 240
  /// What the rates are measured over, again and again, from the first bytes on.
  public var window = Duration.seconds(10)
  public init() {}
}

/// What is done when there is more to do than the workers can do.
public struct Admission: Sendable, Equatable {
  /// How long a ready connection may wait for its worker, time and again for 100 ms, before new requests
  /// are shed. CoDel's target is 5 ms; at 20 ms a worker has about a thousand requests before it, more than
  /// clients that wait for their responses usually leave there.
  public var delay = Duration.milliseconds(20)
  public init() {}
}

/// A limit on a service's requests in flight that follows its response times.
public struct AdaptiveConcurrency: Sendable, Equatable {
  /// Never below this, for the process.
  public var minimum = 20
  /// Response times may grow to this, in percent of what is usual, before the limit shrinks; Netflix's
  /// `concurrency-limits` has 150.
  public var tolerancePercent = 150
  public init() {}
}
