import HTTPCodec

/// The cookie that keeps a client with its endpoint. Its value is a token made from the endpoint's
/// address and the cookie's name: the same on every worker and every gateway, and after a restart.
///
/// The token hides the address from a casual look only: whoever guesses the address can check it.
public struct StickyCookie {
  /// Hexadecimal digits of a token.
  private static let tokenDigits = 16

  public let name: [UInt8]
  /// By endpoint.
  private var tokens: [UInt64] = []
  /// Endpoints in the order of their tokens.
  private var order: [Int] = []
  /// By endpoint: what a `Set-Cookie` field holds.
  private var fieldValues: [[UInt8]] = []

  public init(name: String) { self.name = Array(name.utf8) }

  mutating func endpointsChanged(_ endpoints: [Endpoint]) {
    let hash = HashKeySource.hash
    let key = hash.hash(name.span, from: 0, to: name.count, after: 0)
    tokens = endpoints.map { endpoint in
      let text = endpoint.addressText
      return hash.hash(text.span, from: 0, to: text.count, after: key)
    }
    order = tokens.indices.sorted { (tokens[$0], $0) < (tokens[$1], $1) }
    fieldValues = tokens.map { token in
      name + [0x3D] + Self.digits(token) + Array("; Path=/; HttpOnly; SameSite=Lax".utf8)
    }
  }

  /// The token of an endpoint, by its index.
  public func token(of index: Int) -> UInt64 { tokens[index] }

  /// What a `Set-Cookie` field has to hold for an endpoint.
  public func fieldValue(for index: Int) -> [UInt8] { fieldValues[index] }

  func index(of token: UInt64) -> Int? {
    var low = 0
    var high = order.count
    while low < high {
      let middle = (low &+ high) &>> 1
      if tokens[order[middle]] < token { low = middle &+ 1 } else { high = middle }
    }
    guard low < order.count, tokens[order[low]] == token else { return nil }
    return order[low]
  }

  /// The token in a cookie's value, if it is one.
  static func token(in value: Span<UInt8>) -> UInt64? {
    guard value.count == tokenDigits else { return nil }
    return value.hexadecimal(in: ByteRange(start: 0, count: tokenDigits))
  }

  private static func digits(_ token: UInt64) -> [UInt8] {
    let text = String(token, radix: 16)
    return [UInt8](repeating: 0x30, count: tokenDigits - text.utf8.count) + Array(text.utf8)
  }
}
