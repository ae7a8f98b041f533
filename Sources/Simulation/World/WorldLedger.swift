/// What a ``World`` knows of its requests, and what it found wrong.
final class WorldLedger {
  private(set) var requests: [WorldRequest] = []
  private(set) var violations: [WorldViolation] = []
  /// Requests whose outcome is not known.
  private(set) var openCount = 0
  /// What an origin has sent behind a response, without having been asked. Where it arrives after the
  /// gateway has sent its next request there, nobody can tell it from the answer to that.
  static let unasked: [UInt8] = [1, 2, 3]
  var sentUnasked = false
  /// Origins have closed connections in the middle of what they did: content that ends with the connection
  /// may be cut, and nobody can see it (RFC 9112 §8).
  var closedEarly = false
  unowned let network: SimulatedNetwork
  private static let violationsMax = 10

  init(network: SimulatedNetwork) { self.network = network }

  /// A rule was broken; `connections` are those that it was seen on.
  func violate(_ text: String, _ connections: [Int] = []) {
    guard violations.count < Self.violationsMax else { return }
    network.remark(connection: connections.first ?? 0, "VIOLATION: \(text)")
    violations.append(WorldViolation(text: text, connections: connections.filter { $0 > 0 }))
  }

  func violate(_ text: String, _ request: WorldRequest) {
    violate("request \(request.number): \(text)", [request.wire] + request.arrivals.map(\.wire))
  }

  /// How the content of a response differs from what it should be; nil where it does not, or where an
  /// origin's mistake explains it.
  func flaw(ofResponse content: [UInt8], to request: WorldRequest) -> String? {
    if sentUnasked && content == Self.unasked { return nil }
    if closedEarly && request.endsWithClose && request.response.starts(with: content) { return nil }
    return difference(content, request.response)
  }

  func request(_ number: Int?) -> WorldRequest? {
    guard let number, requests.indices.contains(number) else { return nil }
    return requests[number]
  }

  /// A client is about to send a request.
  func begin(
    _ kind: WorldRequest.Kind, _ method: String, _ place: WorldPlace, contentBytes: Int, responseBytes: Int,
    since: Int, cacheKey: Int? = nil, hasKey: Bool = false
  ) -> WorldRequest {
    let request = WorldRequest(
      requests.count, kind, method, place, contentBytes: contentBytes, responseBytes: responseBytes,
      since: since, cacheKey: cacheKey, hasKey: hasKey)
    requests.append(request)
    openCount += 1
    return request
  }

  func sent(_ request: WorldRequest, on wire: Int) {
    request.wire = wire
    network.remark(
      connection: wire,
      "client sends request \(request.number): \(request.method) \(request.place.host)"
        + "\(request.target), \(request.contentBytes) bytes")
  }

  func ended(_ request: WorldRequest, _ outcome: WorldRequest.Outcome, version: Int) {
    network.remark(connection: request.wire, "request \(request.number) ends: \(outcome)")
    if let before = request.outcome { return violate("has two outcomes, \(before) and \(outcome)", request) }
    request.outcome = outcome
    request.until = version
    openCount -= 1
  }
}

/// A rule that a run of a ``World`` broke.
public struct WorldViolation: Sendable, CustomStringConvertible {
  public let text: String
  /// Numbers of the connections that it was seen on.
  public let connections: [Int]
  public var description: String { text }
}
