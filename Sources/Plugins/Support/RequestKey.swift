import DataPlane
import HTTPCodec
import Resources
import Runtime

/// What requests are told apart by, where something is counted for each: an address, a consumer, a field.
struct RequestKey: Sendable {
  private enum Part: Sendable {
    case address, consumer, service, route, path, method, host
    /// In lower case.
    case header([UInt8])
    case cookie([UInt8])
    case query([UInt8])
  }

  private let parts: [Part]

  /// The words of an option `by`.
  static let hint =
    "address, consumer, service, route, host, path, method, header:NAME, cookie:NAME or query:NAME"

  init(_ words: [String], at path: String) throws(OptionProblem) {
    var parts: [Part] = []
    for (index, word) in words.enumerated() {
      guard let part = Self.part(word) else {
        throw OptionProblem(
          "\(path)[\(index)]", "\"\(word)\" is nothing that requests are told apart by", hint: Self.hint)
      }
      parts.append(part)
    }
    self.parts = parts
  }

  private static func part(_ word: String) -> Part? {
    switch word {
    case "address": return .address
    case "consumer": return .consumer
    case "service": return .service
    case "route": return .route
    case "path": return .path
    case "method": return .method
    case "host": return .host
    default: break
    }
    guard let colon = word.firstIndex(of: ":") else { return nil }
    let name = Array(word[word.index(after: colon)...].utf8)
    guard !name.isEmpty, name.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    switch word[..<colon] {
    case "header": return .header(Array(String(decoding: name, as: UTF8.self).lowercased().utf8))
    case "cookie": return .cookie(name)
    case "query": return .query(name)
    default: return nil
    }
  }

  /// The same for requests with the same key, on every worker of the process. 64 bits of a hash with a secret
  /// seed: that two keys share one is nothing that anybody can bring about.
  func hash(of exchange: Exchange, seed: Int) -> Int {
    var state = UInt64(bitPattern: Int64(seed))
    for part in parts {
      switch part {
      case .address: state = KeyHash.of(exchange.clientAddress, after: state)
      case .consumer:
        // Who is not known is told apart by the address.
        state =
          exchange.consumer.map { KeyHash.of(hash: $0.nameHash, after: ~state) }
          ?? KeyHash.of(exchange.clientAddress, after: state)
      case .service: state = Self.hash(exchange.serviceName, state)
      case .route: state = Self.hash(exchange.routeName, state)
      case .path: state = exchange.withPath { KeyHash.of($0, after: state) }
      case .method: state = Self.hash(exchange.request.methodRange, of: exchange, state)
      case .host: state = Self.hash(exchange.host.map(\.asciiLowercased), state)
      case .header(let name): state = Self.hash(exchange.firstField(name) ?? .empty, of: exchange, state)
      case .cookie(let name): state = Self.hash(exchange.cookie(name) ?? [], state)
      case .query(let name): state = Self.hash(exchange.queryParameter(name) ?? [], state)
      }
    }
    return Int(truncatingIfNeeded: state)
  }

  /// The same on every gateway, and after every start; nil where a request has no such field, cookie or parameter,
  /// and so nothing that it could be told apart by.
  func stableHash(of request: some RequestFacts, after state: UInt64) -> UInt64? {
    var state: UInt64? = state
    for part in parts {
      guard let before = state else { return nil }
      let next = { (bytes: Span<UInt8>) in StableHash.of(bytes, after: before) }
      switch part {
      case .address: state = request.sender.map { StableHash.of($0, after: before) }
      case .consumer:
        // Who is not known is told apart by the address.
        if let name = request.consumer?.nameBytes {
          state = StableHash.of(name.span, after: ~before)
        } else {
          state = request.sender.map { StableHash.of($0, after: before) }
        }
      case .service: state = next(request.serviceName.span)
      case .route: state = next(request.routeName.span)
      case .path: state = request.withPath(next)
      case .method: state = request.withPart({ $0.methodRange }, next)
      case .host: state = request.withPart({ $0.host }, next)
      case .header(let name): state = request.withFirstField(name, next)
      case .cookie(let name): state = request.withCookie(name, next)
      case .query(let name): state = request.withParameter(name, next)
      }
    }
    return state
  }

  /// All that makes the key, so that no two requests are taken for the same which are not; each part behind its
  /// length.
  func append(of exchange: Exchange, to key: inout [UInt8]) {
    for part in parts {
      switch part {
      case .address: Self.append(exchange.clientAddress.networkBytes, to: &key)
      case .consumer:
        let name = exchange.consumer?.nameBytes ?? []
        // Who is not known is told apart by the address.
        key.append(name.isEmpty ? 0 : 1)
        Self.append(name.isEmpty ? exchange.clientAddress.networkBytes : name, to: &key)
      case .service: Self.append(exchange.serviceName, to: &key)
      case .route: Self.append(exchange.routeName, to: &key)
      case .path: Self.append(RequestVariable.path(of: exchange), to: &key)
      case .method: Self.append(exchange.method, to: &key)
      case .host: Self.append(exchange.host.map(\.asciiLowercased), to: &key)
      case .header(let name):
        exchange.withEachField(name) { value in
          key.append(1)
          var bytes: [UInt8] = []
          for index in value.indices { bytes.append(value[index]) }
          Self.append(bytes, to: &key)
        }
        key.append(0)
      case .cookie(let name): Self.append(exchange.cookie(name), to: &key)
      case .query(let name): Self.append(exchange.queryParameter(name), to: &key)
      }
    }
  }

  func bytes(of exchange: Exchange) -> [UInt8] {
    var key: [UInt8] = []
    append(of: exchange, to: &key)
    return key
  }

  private static func append(_ part: [UInt8]?, to key: inout [UInt8]) {
    guard let part else { return key.append(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF]) }
    for shift in [24, 16, 8, 0] { key.append(UInt8(truncatingIfNeeded: part.count >> shift)) }
    key += part
  }

  private static func hash(_ bytes: [UInt8], _ state: UInt64) -> UInt64 {
    KeyHash.of(bytes.span, after: state)
  }

  private static func hash(_ range: ByteRange, of exchange: Exchange, _ state: UInt64) -> UInt64 {
    let input = exchange.input
    return KeyHash.of(input.bytes.extracting(range.range), after: state)
  }
}

extension SocketAddress {
  /// As keys go by it: of IPv6 the network of 64 bits, which is what one subscriber gets.
  fileprivate var networkBytes: [UInt8] { (0..<(isIPv4 ? 16 : 8)).map { octets[$0] } }
}
