/// What was counted for one route, as a value.
public struct RouteFigures: Sendable {
  /// Requests of one service and status.
  public struct Requests: Sendable, Equatable {
    /// Empty where no service was chosen.
    public var service: String
    public var status: UInt16
    public var count: UInt64

    public init(service: String, status: UInt16, count: UInt64) {
      self.service = service
      self.status = status
      self.count = count
    }
  }

  // What the usual request counts stands together: of 20,000 routes, no cache holds the figures.
  public var requestBodyBytes: UInt64 = 0
  public var responseBodyBytes: UInt64 = 0
  public var receivedBytes: UInt64 = 0
  public var sentBytes: UInt64 = 0
  private var times = HistogramPair()
  /// By ``Outcome/rawValue``; those that were passed on are the rest.
  private var otherOutcomes = InlineArray<10, UInt64>(repeating: 0)

  /// From the request's first byte to the last byte of the response.
  public var durations: Histogram { times.first }
  /// From an attempt's begin to the head of its response, where one came.
  public var responses: Histogram { times.second }

  /// Empty: requests that no route took.
  public var route = ""
  public var requests: [Requests] = []
  /// Requests of services and statuses beyond ``RouteCounters/pairsMax``.
  public var otherRequests: UInt64 = 0

  public init() {}

  public func count(of outcome: Outcome) -> UInt64 {
    guard outcome == .proxied else { return otherOutcomes[Int(outcome.rawValue)] }
    return otherOutcomes.indices.reduce(durations.count) { $0 &- otherOutcomes[$1] }
  }

  /// Everything but the request's service and status.
  @inline(__always)
  mutating func record(_ record: borrowing ExchangeRecord) {
    times.recordFirst(nanoseconds: record.totalNanoseconds)
    if record.responseNanoseconds >= 0 { times.recordSecond(nanoseconds: record.responseNanoseconds) }
    requestBodyBytes &+= record.requestBodyBytes
    responseBodyBytes &+= record.responseBodyBytes
    receivedBytes &+= record.receivedBytes
    sentBytes &+= record.sentBytes
    if record.outcome != .proxied { otherOutcomes[Int(record.outcome.rawValue)] &+= 1 }
  }

  /// Adds what another worker, or another route, counted.
  public mutating func add(_ other: RouteFigures) {
    for item in other.requests { add(item) }
    otherRequests &+= other.otherRequests
    times.add(other.times)
    requestBodyBytes &+= other.requestBodyBytes
    responseBodyBytes &+= other.responseBodyBytes
    receivedBytes &+= other.receivedBytes
    sentBytes &+= other.sentBytes
    for index in otherOutcomes.indices { otherOutcomes[index] &+= other.otherOutcomes[index] }
  }

  /// Bounded like one worker's: other workers may have counted other pairs.
  mutating func add(_ item: Requests) {
    if let index = requests.firstIndex(where: { $0.status == item.status && $0.service == item.service }) {
      requests[index].count &+= item.count
    } else if requests.count < RouteCounters.pairsMax {
      requests.append(item)
    } else {
      otherRequests &+= item.count
    }
  }
}
