import HTTPCodec
import Resources
import Runtime

/// What of a request ties it to an endpoint: the key for consistent hashing, or the token of the
/// gateway's own cookie.
public struct HashKeySource {
  private enum Source {
    case clientIP
    /// The first field line of that name, in lower case.
    case header([UInt8])
    case cookie([UInt8])
    /// The first parameter of that name, as it was sent.
    case query([UInt8])
    case sticky([UInt8])
  }

  /// Fixed, unlike that of tables: every worker and every gateway has to compute the same.
  static let hash = ByteHash(seed: 0x50_65_6E_73_74_6F_63_6B)

  private let source: Source
  private let hash = HashKeySource.hash

  /// Nil for a policy without a key.
  public init?(_ balance: Balance) {
    switch balance {
    case .roundRobin, .leastRequest: return nil
    case .hash(.clientIP): source = .clientIP
    case .hash(.header(let name)): source = .header(name.utf8.map { $0.asciiLowercased })
    case .hash(.cookie(let name)): source = .cookie(Array(name.utf8))
    case .hash(.query(let name)): source = .query(Array(name.utf8))
    case .sticky(let name): source = .sticky(Array(name.utf8))
    }
  }

  /// The request's key; nil where it has none, and takes any endpoint.
  ///
  /// - Parameters:
  ///   - client: the client's address; its port does not matter.
  ///   - bytes: what the ranges in `head` refer to.
  public func key(client: SocketAddress, head: borrowing RequestHead, bytes: Span<UInt8>) -> UInt64? {
    switch source {
    case .clientIP: return hash(of: client)
    case .header(let name):
      for index in head.fields.indices
      where bytes.equalsIgnoringCase(head.fields[index].name, lowercase: name) {
        return hash(of: head.fields[index].value, bytes)
      }
      return nil
    case .cookie(let name):
      guard let value = cookie(name, head, bytes) else { return nil }
      return hash(of: value, bytes)
    case .query(let name):
      guard let value = bytes.queryValue(named: name, in: head.query) else { return nil }
      return hash(of: value, bytes)
    case .sticky(let name):
      guard let value = cookie(name, head, bytes) else { return nil }
      return StickyCookie.token(in: bytes.bytes(in: value))
    }
  }

  private func cookie(
    _ name: [UInt8], _ head: borrowing RequestHead, _ bytes: Span<UInt8>
  ) -> ByteRange? {
    for index in head.fields.indices where head.fields[index].known == .cookie {
      if let value = bytes.cookieValue(named: name, in: head.fields[index].value) { return value }
    }
    return nil
  }

  private func hash(of range: ByteRange, _ bytes: Span<UInt8>) -> UInt64 {
    hash.hash(bytes, from: Int(range.start), to: range.end, after: 0)
  }

  private func hash(of address: SocketAddress) -> UInt64 {
    var octets = InlineArray<16, UInt8>(repeating: 0)
    for index in 0..<16 { octets[index] = address.octets[index] }
    return hash.hash(octets.span, from: 0, to: 16, after: 0)
  }
}
