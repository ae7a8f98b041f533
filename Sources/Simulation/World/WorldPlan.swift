import DataPlane
import Runtime

/// What a world is made of, by its seed: everything that is settled before its time begins.
public struct WorldPlan: Sendable, CustomStringConvertible {
  /// What most of a world's clients and origins do.
  public enum Focus: String, Sendable, CaseIterable {
    /// Decided by the seed.
    case any
    case http1
    case http2
    /// Many small changes of the configuration.
    case changes
    /// More clients than the limits let in, and a worker that is slow.
    case overload
  }

  public let seed: UInt64
  public let focus: Focus
  /// Nobody does anything wrong: every request has to be answered, and by its endpoint. What only makes
  /// requests slow, such as tight limits and changes of the configuration, is there all the same.
  public let isCalm: Bool
  public let workers: Int
  public let hasSecondListener: Bool
  /// For each origin, whether it speaks HTTP/2 and nothing else.
  public let origins: [Bool]
  public let link: Link
  /// Clients of each kind.
  public let http1Clients: Int
  public let http2Clients: Int
  public let tunnels: Int
  public let hostileClients: Int
  /// Changes of the configuration while requests are under way.
  public let changes: Int
  public let disturbances: Int
  /// The gateway is told to stop while requests are under way.
  public let drainsEarly: Bool
  /// Limits above which clients are refused are within their reach.
  public let isTight: Bool
  /// `http.limits.bufferBytes` of all configurations; nil: as it is by default.
  public let bufferBytes: UInt64?
  /// What a call of the gateways' takes, in nanoseconds.
  public let callNanoseconds: Int64
  public let overload: OverloadBounds
  /// Routes have plugins, some of which ask services.
  public let hasPlugins: Bool
  public let sideOriginsSpeakHTTP2: Bool

  public init(seed: UInt64, focus: Focus = .any) {
    var random = SplitMix64(seed: seed &* 7_919)
    // The first numbers of neighbouring seeds are alike.
    for _ in 0..<4 { _ = random.next() }
    let focuses: [Focus] = [.any, .any, .http1, .http2, .changes, .overload]
    let focus = focus == .any ? random.pick(focuses) : focus
    self.seed = seed
    self.focus = focus
    isCalm = random.chance(3) && focus != .overload
    workers = 1 + random.next(below: 2)
    hasSecondListener = random.chance(3)
    var origins = focus == .http2 ? [true] : focus == .any || focus == .overload ? [false, true] : [false]
    for _ in 0..<random.next(below: 3) { origins.append(focus == .http1 ? false : random.chance(2)) }
    self.origins = origins
    var link = random.chance(2) ? Link.rough : Link(latency: .microseconds(200))
    if random.chance(4) { link.bandwidth = 300_000 }
    self.link = link
    let crowd = focus == .overload ? 6 + random.next(below: 50) : 0
    http1Clients = focus == .http2 ? 0 : random.next(below: 5) + (focus == .any ? 0 : 1) + crowd
    http2Clients = focus == .http1 ? 0 : random.next(below: 4) + (focus == .http2 ? 1 : 0) + crowd / 6
    tunnels = random.chance(3) ? 1 + random.next(below: 2) : 0
    hostileClients = isCalm ? 0 : random.next(below: 3)
    changes = focus == .changes ? 15 + random.next(below: 20) : random.chance(2) ? random.next(below: 6) : 0
    disturbances = isCalm ? 0 : random.next(below: 5)
    drainsEarly = !isCalm && random.chance(8)
    isTight = focus == .overload || (!isCalm && random.chance(2))
    let hasLittleMemory = isTight && random.chance(focus == .overload ? 1 : 3)
    bufferBytes = hasLittleMemory ? UInt64(workers) * random.pick([1 << 20, 4 << 20, 4 << 20, 8 << 20]) : nil
    let calls: [Int64] = focus == .overload ? [20_000, 200_000, 1_000_000] : [0, 0, 5_000, 50_000, 300_000]
    callNanoseconds = isTight ? random.pick(calls) : 0
    var overload = OverloadBounds.standard
    if isTight {
      overload.queueMin = 1 + random.next(below: 4)
      overload.intervalNanoseconds = Int64(random.next(below: 40)) * 1_000_000
      overload.calmNanoseconds = Int64(20 + random.next(below: 480)) * 1_000_000
      overload.firstLimit = Double(1 + random.next(below: 4))
    }
    self.overload = overload
    hasPlugins = random.chance(2)
    sideOriginsSpeakHTTP2 = random.chance(3)
  }

  public var description: String {
    let origins = origins.map { $0 ? "h2" : "http/1.1" }.joined(separator: " ")
    let mood = isCalm ? "calm" : isTight ? "wild and tight" : "wild"
    return "\(focus.rawValue), \(mood), \(workers) workers, origins \(origins), "
      + "clients \(http1Clients) http/1.1, \(http2Clients) h2, \(tunnels) tunnels, "
      + "\(hostileClients) hostile, "
      + "\(changes) changes, \(disturbances) disturbances" + (hasPlugins ? ", plugins" : "")
  }
}

extension SplitMix64 {
  /// True once in so many times.
  mutating func chance(_ times: Int) -> Bool { next(below: times) == 0 }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[next(below: elements.count)] }

  mutating func milliseconds(below limit: Int) -> Duration { .milliseconds(Int64(next(below: limit))) }
}
