/// Counts frames that cost work and carry nothing, each kind against its limit.
struct FloodCounters: Sendable {
  var resets: LeakyCounter
  var settings: LeakyCounter
  var pings: LeakyCounter
  var emptyFrames: LeakyCounter
  var windowUpdates: LeakyCounter
  var tinyWindowUpdates: LeakyCounter
  var priorities: LeakyCounter
  var ignoredFrames: LeakyCounter

  init(_ limits: HTTP2Limits) {
    resets = LeakyCounter(limits.resets)
    settings = LeakyCounter(limits.settings)
    pings = LeakyCounter(limits.pings)
    emptyFrames = LeakyCounter(limits.emptyFrames)
    windowUpdates = LeakyCounter(limits.windowUpdates)
    tinyWindowUpdates = LeakyCounter(limits.tinyWindowUpdates)
    priorities = LeakyCounter(limits.priorities)
    ignoredFrames = LeakyCounter(limits.ignoredFrames)
  }

  /// A stream was opened.
  @inline(__always)
  mutating func streamOpened(now: Int64) {
    pings.relieve(1, now: now)
    windowUpdates.relieve(2, now: now)
    priorities.relieve(10, now: now)
  }

  /// A head or content came.
  @inline(__always)
  mutating func usefulFrameReceived(now: Int64) {
    pings.relieve(1, now: now)
    emptyFrames.relieve(1, now: now)
  }

  /// Content was sent, which the peer acknowledges with WINDOW_UPDATE.
  @inline(__always)
  mutating func contentSent(now: Int64) {
    pings.relieve(1, now: now)
    windowUpdates.relieve(4, now: now)
  }
}
