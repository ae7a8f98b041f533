import Resources
import Runtime

@testable import DataPlane

extension Endpoint {
  /// `10.0.x.y:80` with a number in the last two octets, there since time zero.
  static func number(_ number: Int, weight: Int = 1) -> Endpoint {
    let address = SocketAddress(ipv4: 10, 0, UInt8(number / 256), UInt8(number % 256), port: 80)
    let resolved = ResolvedEndpoint(name: "e\(number)", address: address, weight: weight)
    return Endpoint(resolved, availableSince: MonotonicTime(nanoseconds: 0))
  }

  static func numbers(_ range: Range<Int>) -> [Endpoint] { range.map { number($0) } }
  static func weights(_ weights: Int...) -> [Endpoint] {
    weights.enumerated().map { number($0.offset, weight: $0.element) }
  }
}

extension MonotonicTime {
  static func seconds(_ seconds: Double) -> MonotonicTime {
    MonotonicTime(nanoseconds: Int64(seconds * 1_000_000_000))
  }
}

/// A balancer with its endpoints and a seeded generator.
struct Trial {
  var balancer: Balancer
  var endpoints: [Endpoint]
  var random: SplitMix64
  var now = MonotonicTime.seconds(1_000)

  init(_ policy: Balance, _ endpoints: [Endpoint], slowStart: Duration = .zero, seed: UInt64 = 1) {
    balancer = Balancer(policy: policy, slowStart: slowStart)
    balancer.endpointsChanged(endpoints)
    self.endpoints = endpoints
    random = SplitMix64(seed: seed)
  }

  mutating func pick(key: UInt64? = nil, tried: UInt64 = 0) -> Int? {
    balancer.pick(from: endpoints, key: key, tried: tried, now: now, random: &random)
  }

  /// How many of the picks went to each endpoint.
  mutating func picks(_ count: Int, tried: UInt64 = 0) -> [Int] {
    var counts = [Int](repeating: 0, count: endpoints.count)
    for _ in 0..<count {
      if let index = pick(tried: tried) { counts[index] += 1 }
    }
    return counts
  }
}
