/// Exact paths and prefixes of all hosts, in one table: the host is part of the key.
///
/// A prefix is hashed segment by segment, each from the hash of what stands before it, so that one
/// pass over a path gives the hashes of all its prefixes.
struct PathTable {
  private static let slash: UInt8 = 0x2F

  private let hash: ByteHash
  private var chains = ByteTable<UInt32>()

  init(seed: UInt64) { hash = ByteHash(seed: seed) }

  var count: Int { chains.count }

  /// The scope of a host's paths in the table.
  @inline(__always)
  private static func scope(_ host: UInt32, isPrefix: Bool) -> UInt32 { host &<< 1 | (isPrefix ? 1 : 0) }

  // MARK: Looking up

  /// The first rule for this very path.
  @inline(__always)
  func exact(_ path: Span<UInt8>, host: UInt32) -> UInt32? {
    let scope = Self.scope(host, isPrefix: false)
    let hash = hash.hash(path, from: 0, to: path.count, after: UInt64(scope))
    return chains.find(path, from: 0, to: path.count, hash: hash, scope: scope)
  }

  /// Where a search through the prefixes of a path stands.
  struct PrefixCursor {
    fileprivate var position = 0
    fileprivate var segments = 0
    fileprivate var hash: UInt64
    fileprivate let scope: UInt32
  }

  @inline(__always)
  func prefixes(host: UInt32) -> PrefixCursor {
    let scope = Self.scope(host, isPrefix: true)
    return PrefixCursor(hash: UInt64(scope), scope: scope)
  }

  /// The first rule for the next prefix of the path, from the shortest to the longest.
  ///
  /// Looks only at numbers of segments that the host's prefixes have, and never further than its
  /// longest prefix, however long the path is.
  @inline(__always)
  func nextPrefix(
    _ path: Span<UInt8>, _ cursor: inout PrefixCursor, segments wanted: UInt64, bytesMax: Int
  ) -> UInt32? {
    let segmentsMax = wanted &>> 63 == 1 ? Int.max : 63 &- wanted.leadingZeroBitCount
    while cursor.segments < segmentsMax, cursor.position < path.count, path[cursor.position] == Self.slash {
      var end = cursor.position &+ 1
      while end < path.count, end <= bytesMax, path[end] != Self.slash { end &+= 1 }
      if end > bytesMax { break }
      cursor.hash = hash.hash(path, from: cursor.position, to: end, after: cursor.hash)
      cursor.position = end
      cursor.segments &+= 1
      if wanted &>> UInt64(min(cursor.segments, 63)) & 1 == 0 { continue }
      if let rule = chains.find(path, from: 0, to: end, hash: cursor.hash, scope: cursor.scope) {
        return rule
      }
    }
    return nil
  }

  // MARK: Changing

  /// The first rule of the chain of a path, as routes write it.
  func chain(of path: [UInt8], host: UInt32, isPrefix: Bool) -> UInt32? {
    let (hash, scope) = key(path, host, isPrefix)
    return chains.find(path.span, from: 0, to: path.count, hash: hash, scope: scope)
  }

  /// Sets the first rule of a path; ``Pool/none`` removes the path.
  mutating func setChain(of path: [UInt8], host: UInt32, isPrefix: Bool, to rule: UInt32) {
    let (hash, scope) = key(path, host, isPrefix)
    if rule == Pool<Rule>.none {
      chains.remove(path.span, hash: hash, scope: scope)
    } else {
      chains.set(path.span, hash: hash, scope: scope, to: rule)
    }
  }

  private func key(_ path: [UInt8], _ host: UInt32, _ isPrefix: Bool) -> (hash: UInt64, scope: UInt32) {
    let scope = Self.scope(host, isPrefix: isPrefix)
    guard isPrefix else {
      return (hash.hash(path.span, from: 0, to: path.count, after: UInt64(scope)), scope)
    }
    var state = UInt64(scope)
    var position = 0
    while position < path.count {
      var end = position + 1
      while end < path.count, path[end] != Self.slash { end += 1 }
      state = hash.hash(path.span, from: position, to: end, after: state)
      position = end
    }
    return (state, scope)
  }

  /// Segments of a prefix without a slash at its end, as counted in ``HostRules/prefixSegments``.
  static func segmentBit(_ prefix: [UInt8]) -> UInt64 {
    1 << UInt64(min(prefix.count { $0 == slash }, 63))
  }

  /// A prefix as it is stored: `/a/` covers what `/a` does (Gateway API), and all of `/` is nothing.
  static func canonicalPrefix(_ prefix: String) -> [UInt8] {
    var bytes = Array(prefix.utf8)
    while bytes.last == slash { bytes.removeLast() }
    return bytes
  }
}
