import HTTPCodec
import Resources

/// Which route takes a request. Belongs to one worker's thread.
///
/// Precedence is the Gateway API's: the longest exact host, the longest wildcard, any host; under
/// one host an exact path, a regular expression (the longest pattern first: that much is left open),
/// the longest prefix; then a method match, the number of header matches, of query matches, and the
/// routes' order. Rules of a less specific host are tried when none of a more specific one's
/// match. A route that is not attached to the listener does not exist for it.
///
/// A look-up allocates nothing and does not depend on the number of routes, save for those of the
/// same host and path and the regular expressions of the same host.
///
/// A change is made in steps that no request sees: ``stage(_:)`` and ``stageRemoval(number:)`` for each
/// route of it, then ``flip()``, from which on requests see all of it, then ``settle(number:)`` for each
/// route again, then ``endChange()``. Each step takes time in proportion to one route's own hosts and
/// matches, and to the rules that share them.
final class RouteTable {
  private(set) var index: RouteIndex
  /// By number: the latest, which requests may not see yet.
  private var routes = NumberedSlots<CompiledRoute>()

  /// - Parameter seed: of the hashes, random for each process, so that nobody can choose hosts and
  ///   paths that collide.
  init(seed: UInt64) { index = RouteIndex(seed: seed) }

  /// Has what a look-up begins with brought near, while the caller goes on with something else.
  /// - Returns: the hash of the host, for what follows.
  @inline(__always)
  func prepare(host: Span<UInt8>) -> UInt64 { index.prepare(host: host) }

  /// Has what comes next in a look-up brought near, a while after what it begins with.
  @inline(__always)
  func prepareRoute(hostHash: UInt64) { index.prepareRoute(hostHash: hostHash) }

  /// The route for a request, or nil.
  ///
  /// - Parameters:
  ///   - listener: its number.
  ///   - host: in any case, without a port and a trailing dot; empty where there is none.
  ///   - hostHash: what ``prepare(host:)`` has returned for it.
  ///   - path: normalised. One that is not a path, such as `*`, matches the prefix `/` alone.
  ///   - bytes: what the ranges in `head` refer to.
  func route(
    listener: Int, host: Span<UInt8>, hostHash: UInt64, path: Span<UInt8>, head: borrowing RequestHead,
    bytes: Span<UInt8>
  ) -> CompiledRoute? {
    index.route(
      listener: listener, host: host, hostHash: hostHash, path: path, head: head, bytes: bytes)
  }

  /// The number in ``index`` of the rule that takes a request, or ``Pool/none``.
  func rule(
    listener: Int, host: Span<UInt8>, path: Span<UInt8>, head: borrowing RequestHead, bytes: Span<UInt8>
  ) -> UInt32 {
    index.rule(host, listener, path, head, bytes)
  }

  /// The latest route of a number, or nil.
  func route(number: Int) -> CompiledRoute? { routes[number] }

  /// Routes by number; those of a change under way included.
  var count: Int { routes.count }

  // MARK: Changes

  /// Prepares a route, or another definition of one.
  func stage(_ entry: RouteEntry) {
    let route = CompiledRoute(entry)
    route.phase = .arriving
    if let known = routes[entry.number] {
      route.inheritPlugins(of: known)
      route.predecessor = leave(known)
    }
    routes[entry.number] = route
    index.insert(route)
  }

  /// Prepares that a route goes.
  func stageRemoval(number: Int) {
    guard let known = routes[number] else { return }
    routes[number] = leave(known)
  }

  /// Takes what nobody has seen yet out again, and lets what requests see go with the change.
  /// - Returns: what requests see, if anything.
  private func leave(_ route: CompiledRoute) -> CompiledRoute? {
    guard route.phase == .arriving else {
      index.setPhase(.leaving, of: route)
      return route
    }
    index.remove(route)
    let visible = route.predecessor
    route.predecessor = nil
    return visible
  }

  /// Requests see what was prepared, from now on.
  func flip() { index.hidden = .leaving }

  /// Tidies up after a number of the change; nothing happens where that was done.
  /// - Returns: the route that is no more, if there is one, and the one that replaces it.
  func settle(number: Int) -> (gone: CompiledRoute, successor: CompiledRoute?)? {
    guard let route = routes[number] else { return nil }
    switch route.phase {
    case .settled, .gone: return nil
    case .arriving:
      index.setPhase(.settled, of: route)
      guard let old = route.predecessor else { return nil }
      route.predecessor = nil
      remove(old)
      return (old, route)
    case .leaving:
      routes[number] = nil
      remove(route)
      return (route, nil)
    }
  }

  private func remove(_ route: CompiledRoute) {
    index.remove(route)
    route.phase = .gone
  }

  /// All of a change is settled.
  func endChange() { index.hidden = .arriving }

  /// For tests: what the index holds, all zero when it holds nothing.
  var indexCounts: [Int] { index.counts }
}
