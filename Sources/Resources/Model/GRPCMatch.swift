/// A gRPC method, or all of a service's, or one of every service (Gateway API `GRPCRouteMatch`).
///
/// It has no matcher of its own: ``Match/init(grpc:)`` gives the conditions that it stands for, and
/// ``Match/grpc`` finds them again.
public struct GRPCMatch: Sendable, Hashable {
  /// With its package: `orders.v1.Orders`; `nil`: any.
  public var service: String?
  /// `nil`: any.
  public var method: String?

  public init(service: String? = nil, method: String? = nil) {
    self.service = service
    self.method = method
  }

  /// gRPC's content types: `application/grpc`, `application/grpc+proto`, with parameters if any; not
  /// gRPC-Web's. Media types ignore case (RFC 9110 §8.3.1).
  public static let contentTypePattern = "(?i)application/grpc(?:[+; \\t].*)?"

  private static let anyServicePattern = "/[^/]+/"

  /// gRPC calls are `POST /{service}/{method}`.
  var path: PathMatch {
    switch (service, method) {
    case (nil, nil): .prefix("/")
    case (let service?, nil): .prefix("/" + service)
    case (let service?, let method?): .exact("/\(service)/\(method)")
    case (nil, let method?): .regex(Self.anyServicePattern + method)
    }
  }

  /// What a path of ``path``'s form stands for.
  init?(path: PathMatch) {
    switch path {
    case .prefix("/"): self.init()
    case .prefix(let path): self.init(service: String(path.dropFirst()))
    case .regex(let pattern):
      guard pattern.hasPrefix(Self.anyServicePattern) else { return nil }
      self.init(method: String(pattern.dropFirst(Self.anyServicePattern.count)))
    case .exact(let path):
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 3 else { return nil }
      self.init(service: String(parts[1]), method: String(parts[2]))
    }
    guard service.map(Self.isServiceName) ?? true, method.map(Self.isMethodName) ?? true else { return nil }
  }

  /// Protocol buffers' full names: identifiers with dots between them.
  static func isServiceName(_ text: String) -> Bool {
    text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isMethodName(String($0)) }
  }

  static func isMethodName(_ text: String) -> Bool {
    guard let first = text.utf8.first, !isDigit(first) else { return false }
    return text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x5F }
  }
}

extension Match {
  /// The conditions of gRPC calls: POST, the path, and gRPC's content type.
  public init(grpc: GRPCMatch) {
    self.init()
    path = grpc.path
    methods = ["POST"]
    headers = [Match.grpcContentType]
  }

  private static let grpcContentType = FieldMatch(
    name: "content-type", value: .regex(GRPCMatch.contentTypePattern))

  /// The gRPC methods that this stands for, whether written so or as path, method and header.
  public var grpc: GRPCMatch? {
    guard methods == ["POST"], headers.first == Match.grpcContentType, query.isEmpty else { return nil }
    return GRPCMatch(path: path)
  }
}
