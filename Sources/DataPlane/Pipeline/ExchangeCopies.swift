import HTTPCodec
import Runtime

/// What a plugin tells others of a request.
extension Exchange {
  /// The fields that the endpoint is sent, those of forwarding included: `name: value` and CRLF each, without those
  /// of the connection and of framing. Before the request goes on.
  public func linesForEndpoint() -> [UInt8] {
    // What is written there for the endpoint comes later.
    let out = toUpstream
    out.removeAll()
    appendEndToEndFields(of: request.fields, from: input, to: out) { self.isPassedOn($0) }
    appendForwardingFields(to: out)
    let lines = out.copy(0..<out.count)
    out.removeAll()
    return lines
  }

  /// What the endpoint is told as `Host`; empty where the client has sent none.
  public var hostForEndpoint: [UInt8] { rewrittenHost.isEmpty ? copy(request.authority) : rewrittenHost }

  /// The client's fields that may go on to endpoints, and what plugins have added: `name: value` and CRLF each.
  /// - only: nil: all of them.
  /// - without: Also in spellings that some servers take for these.
  public func requestLines(only names: FieldNames?, without others: FieldNames) -> [UInt8] {
    let input = input
    let bytes = input.bytes
    var lines: [UInt8] = []
    for field in request.fields {
      guard names?.contains(field.name, in: bytes) ?? true, isPassedOn(field),
        !others.mayMean(field.name, in: bytes)
      else { continue }
      lines += copy(field.name)
      lines.append(UInt8(ascii: ":"))
      lines.append(UInt8(ascii: " "))
      lines += copy(field.value)
      lines.append(13)
      lines.append(10)
    }
    let added = requestEdits.lines
    var cursor = LineCursor()
    while let field = cursor.next(in: added.bytes) {
      guard names?.contains(field.name, in: added.bytes) ?? true, !others.mayMean(field.name, in: added.bytes)
      else { continue }
      lines += added.copy(Int(field.name.start)..<cursor.position)
    }
    return lines
  }

  /// How the client has come, or what a trusted peer says: `http` or `https` mostly.
  public var forwardedScheme: [UInt8] {
    if let sent = trustedField(.xForwardedProto) { return copy(sent) }
    return Array((isTLS ? "https" : "http").utf8)
  }

  /// Host and port that the client has asked for, or what a trusted peer says; empty where it has sent none.
  public var forwardedHost: [UInt8] { copy(trustedField(.xForwardedHost) ?? request.authority) }

  /// Whether it asks for another protocol, such as WebSocket.
  public var asksForUpgrade: Bool { upgrade != .none }
}
