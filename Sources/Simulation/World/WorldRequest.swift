/// A request of a ``World``, from the client's intention to its outcome. Number, place and sizes are in
/// its target, so that whoever sees it knows what has to come of it.
final class WorldRequest {
  enum Kind {
    case plain
    /// Of gRPC.
    case call
    case tunnel
  }

  /// How it ended for the client.
  enum Outcome: Equatable {
    case status(Int)
    case failure(StreamFailure)
    /// Its client went away.
    case abandoned
  }

  /// An origin has read its head.
  struct Arrival {
    let origin: Int
    let method: String
    /// Its place in the origin's list.
    let index: Int
    let wire: Int
    /// The origin said that it was not processed.
    var wasRefused = false
  }

  let number: Int
  let kind: Kind
  let method: String
  let place: WorldPlace
  let contentBytes: Int
  let responseBytes: Int
  /// The version that every worker served when it was sent.
  let since: Int
  /// The newest version there was when its outcome was known.
  var until: Int?
  /// The number of the client's connection.
  var wire = 0
  var arrivals: [Arrival] = []
  /// An origin answers with content that ends with the connection.
  var endsWithClose = false
  var outcome: Outcome?
  /// Requests with the same ask for the same, which a cache may have; nil: for what nobody else asks for.
  let cacheKey: Int?
  /// It shows a key that plugins ask for.
  let hasKey: Bool
  /// The service that plugins ask has said so.
  var mayPass = false
  /// A plugin has answered it.
  var wasRefused = false

  init(
    _ number: Int, _ kind: Kind, _ method: String, _ place: WorldPlace, contentBytes: Int, responseBytes: Int,
    since: Int, cacheKey: Int? = nil, hasKey: Bool = false
  ) {
    self.cacheKey = cacheKey
    self.hasKey = hasKey
    self.number = number
    self.kind = kind
    self.method = method
    self.place = place
    self.contentBytes = method == "GET" || method == "HEAD" ? 0 : contentBytes
    self.responseBytes = cacheKey.map { $0 * 1_237 % 5_000 } ?? responseBytes
    self.since = since
  }

  var target: String {
    guard let cacheKey else { return "\(place.path)/\(number)/\(responseBytes)" }
    return "\(place.path)/k\(cacheKey)/\(responseBytes)?n=\(number)"
  }
  var content: [UInt8] { pattern(contentBytes, seed: number + 1) }
  /// What its client is to get.
  var response: [UInt8] { method == "HEAD" ? [] : wholeResponse }
  /// What the origin that it came to last is to send: all of it where a cache asks for itself.
  var answer: [UInt8] { asksForHead ? [] : wholeResponse }
  var asksForHead: Bool { (arrivals.last?.method ?? method) == "HEAD" }
  private var wholeResponse: [UInt8] { pattern(responseBytes, seed: cacheKey.map { -1 - $0 } ?? number) }
  var mayBeRepeated: Bool { method != "POST" }

  /// The number in a target; nil where there is none.
  static func number(inTarget target: String) -> Int? {
    let halves = target.split(separator: "?")
    if halves.count == 2 { return Int(halves[1].dropFirst(2)) }
    let parts = target.split(separator: "/")
    return parts.count == 3 ? Int(parts[1]) : nil
  }
}

/// Where a request goes: what routes tell apart.
struct WorldPlace: Hashable {
  let host: String
  let path: String

  static let all = ["x.test", "y.test"].flatMap { host in
    ["/a", "/b", "/c"].map { WorldPlace(host: host, path: $0) }
  }
}
