import HTTPCodec
import Resources

/// Which route takes a request. Belongs to one worker's thread.
///
/// Precedence is the Gateway API's: the longest exact host, the longest wildcard, any host; under
/// one host an exact path, a regular expression (the longest pattern first: that much is left open),
/// the longest prefix; then a method match, the number of header matches, of query matches, and the
/// order of the file. Rules of a less specific host are tried when none of a more specific one's
/// match. A route that is not attached to the listener does not exist for it.
///
/// A look-up allocates nothing and does not depend on the number of routes, save for those of the
/// same host and path and the regular expressions of the same host.
public final class RouteTable {
  private var index: RouteIndex
  private let services: [String: Int]
  private let listeners: [String: Int]
  /// Routes in the table.
  public private(set) var count = 0

  /// - Parameters:
  ///   - configuration: validated; indices of routes, services and listeners refer to it.
  ///   - seed: of the hashes, random for each process, so that nobody can choose hosts and paths
  ///     that collide.
  public init(configuration: Configuration, seed: UInt64) {
    index = RouteIndex(seed: seed)
    services = Self.indices(configuration.services.map(\.name))
    listeners = Self.indices(configuration.listeners.map(\.name))
    // From the last to the first: then each finds its place at the front of its chain.
    for position in configuration.routes.indices.reversed() {
      insert(configuration.routes[position], index: position)
    }
  }

  private static func indices(_ names: [String]) -> [String: Int] {
    var indices: [String: Int] = [:]
    for (index, name) in names.enumerated() where indices[name] == nil { indices[name] = index }
    return indices
  }

  /// The route for a request, or nil.
  ///
  /// - Parameters:
  ///   - listener: index into the configuration's listeners.
  ///   - host: in any case, without a port and a trailing dot; empty where there is none.
  ///   - path: normalised. One that is not a path, such as `*`, matches the prefix `/` alone.
  ///   - bytes: what the ranges in `head` refer to.
  public func route(
    listener: Int, host: Span<UInt8>, path: Span<UInt8>, head: borrowing RequestHead, bytes: Span<UInt8>
  ) -> CompiledRoute? {
    index.route(listener: listener, host: host, path: path, head: head, bytes: bytes)
  }

  /// The route with an index, or nil.
  public func route(at index: Int) -> CompiledRoute? {
    self.index.routes.indices.contains(index) ? self.index.routes[index] : nil
  }

  /// Adds a route, or replaces the one with its index.
  ///
  /// Takes time in proportion to its own hosts and matches, and to the rules that share them.
  ///
  /// - Parameter index: the route's place in the order, lower ones first where all else is equal.
  ///   Indices should be dense: each costs a word.
  @discardableResult
  public func insert(_ route: Route, index position: Int) -> CompiledRoute {
    remove(index: position)
    let compiled = CompiledRoute(route, index: position, services: services, listeners: listeners)
    index.insert(compiled)
    count += 1
    return compiled
  }

  /// Removes a route; says whether there was one. Requests that have it keep it.
  @discardableResult
  public func remove(index position: Int) -> Bool {
    guard let route = route(at: position) else { return false }
    index.remove(route)
    count -= 1
    return true
  }

  /// For tests: what the index holds, all zero when it holds nothing.
  var indexCounts: [Int] { index.counts }
}
