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

  // What every request counts stands together: of 20,000 routes, no cache holds the figures.
  public var requestBodyBytes: UInt64 = 0
  public var responseBodyBytes: UInt64 = 0
  public var receivedBytes: UInt64 = 0
  public var sentBytes: UInt64 = 0
  /// By ``Outcome/rawValue``.
  private var outcomes = InlineArray<10, UInt64>(repeating: 0)
  /// From the request's first byte to the last byte of the response.
  public var durations = Histogram()
  /// From an attempt's begin to the head of its response, where one came.
  public var responses = Histogram()

  /// Empty: requests that no route took.
  public var route = ""
  public var requests: [Requests] = []
  /// Requests of services and statuses beyond ``RouteCounters/pairsMax``.
  public var otherRequests: UInt64 = 0

  public init() {}

  public func count(of outcome: Outcome) -> UInt64 { outcomes[Int(outcome.rawValue)] }

  /// Everything but the request's service and status.
  @inline(__always)
  mutating func record(_ record: borrowing ExchangeRecord) {
    durations.record(nanoseconds: record.totalNanoseconds)
    if record.responseNanoseconds >= 0 { responses.record(nanoseconds: record.responseNanoseconds) }
    requestBodyBytes &+= record.requestBodyBytes
    responseBodyBytes &+= record.responseBodyBytes
    receivedBytes &+= record.receivedBytes
    sentBytes &+= record.sentBytes
    outcomes[Int(record.outcome.rawValue)] &+= 1
  }

  /// Adds what another worker, or another route, counted.
  public mutating func add(_ other: RouteFigures) {
    for item in other.requests { add(item) }
    otherRequests &+= other.otherRequests
    durations.add(other.durations)
    responses.add(other.responses)
    requestBodyBytes &+= other.requestBodyBytes
    responseBodyBytes &+= other.responseBodyBytes
    receivedBytes &+= other.receivedBytes
    sentBytes &+= other.sentBytes
    for index in outcomes.indices { outcomes[index] &+= other.outcomes[index] }
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
