import DataPlane
import HTTPCodec
import Resources

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
    var hasher = Hasher()
    hasher.combine(seed)
    for part in parts {
      switch part {
      case .address: Self.combineAddress(of: exchange, &hasher)
      case .consumer:
        // Who is not known is told apart by the address.
        if let consumer = exchange.consumer {
          hasher.combine(consumer.nameHash)
        } else {
          Self.combineAddress(of: exchange, &hasher)
        }
      case .service: hasher.combine(exchange.serviceName)
      case .route: hasher.combine(exchange.routeName)
      case .path: exchange.withPath { Self.combine($0, &hasher) }
      case .method: Self.combine(exchange.request.methodRange, of: exchange, &hasher)
      case .host: Self.combine(exchange.request.host, of: exchange, &hasher)
      case .header(let name): Self.combine(exchange.firstField(name) ?? .empty, of: exchange, &hasher)
      case .cookie(let name): hasher.combine(exchange.cookie(name))
      case .query(let name): hasher.combine(exchange.queryParameter(name))
      }
    }
    return hasher.finalize()
  }

  /// IPv6 clients have a network of 64 bits each.
  private static func combineAddress(of exchange: Exchange, _ hasher: inout Hasher) {
    let address = exchange.clientAddress
    hasher.combine(address.octets.lowHalf)
    if address.isIPv4 { hasher.combine(address.octets.highHalf) }
  }

  private static func combine(_ range: ByteRange, of exchange: Exchange, _ hasher: inout Hasher) {
    let input = exchange.input
    combine(input.bytes.extracting(range.range), &hasher)
  }

  private static func combine(_ bytes: Span<UInt8>, _ hasher: inout Hasher) {
    hasher.combine(bytes.count)
    for index in bytes.indices { hasher.combine(bytes[index]) }
  }
}
