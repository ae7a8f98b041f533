/// A part of the gateway that reads what others wrote, with the properties that hold whatever they wrote.
///
/// The checks are plain functions: the fuzzer calls them with inputs that it makes, the tests with those
/// that are kept in the tree.
public enum FuzzTarget: String, CaseIterable, Sendable {
  case http1Request = "http1-request"
  case http1Response = "http1-response"
  case chunked
  case http2Server = "http2-server"
  case http2Client = "http2-client"
  case hpack
  case path
  case authority
  case proxyProtocol = "proxy-protocol"
  case webSocket = "websocket"
  case configuration
  case resource
  case json
  case jsonWebToken = "json-web-token"
  case jsonWebKeySet = "json-web-key-set"
  case redisReply = "redis-reply"
  case cacheFields = "cache-fields"
  case cacheConditions = "cache-conditions"
  case authorization
  case namedValues = "named-values"

  /// Checks all properties of the target with one input.
  ///
  /// - Throws: the first property that does not hold. What must not happen at all, such as an index out of
  ///   bounds, traps.
  public func check(_ input: [UInt8]) throws(BrokenProperty) {
    switch self {
    case .http1Request: try HTTP1RequestChecks.check(input)
    case .http1Response: try HTTP1ResponseChecks.check(input)
    case .chunked: try ChunkedChecks.check(input)
    case .http2Server: try HTTP2Checks.check(input, role: .server)
    case .http2Client: try HTTP2Checks.check(input, role: .client)
    case .hpack: try HPACKChecks.check(input)
    case .path: try PathChecks.check(input)
    case .authority: try AuthorityChecks.check(input)
    case .proxyProtocol: try PROXYProtocolChecks.check(input)
    case .webSocket: try WebSocketChecks.check(input)
    case .configuration: try ConfigurationChecks.check(input)
    case .resource: try ResourceChecks.check(input)
    case .json: try JSONChecks.check(input)
    case .jsonWebToken: try JSONWebTokenChecks.check(input)
    case .jsonWebKeySet: try JSONWebKeySetChecks.check(input)
    case .redisReply: try RedisReplyChecks.check(input)
    case .cacheFields: try CacheFieldChecks.check(input)
    case .cacheConditions: try CacheConditionChecks.check(input)
    case .authorization: try AuthorizationChecks.check(input)
    case .namedValues: try NamedValueChecks.check(input)
    }
  }
}

/// A property that an input breaks.
public struct BrokenProperty: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// Throws unless the condition holds.
@inline(__always)
func require(
  _ condition: Bool, _ property: @autoclosure () -> String
) throws(BrokenProperty) {
  guard condition else { throw BrokenProperty(property()) }
}
