/// The messages of gRPC's health protocol (`grpc.health.v1`), and what their answers mean.
enum GRPCHealth {
  static let path = "/grpc.health.v1.Health/Check"
  /// A response has a few bytes; more is none.
  static let messageBytesMax = 4_096

  /// A length-prefixed `HealthCheckRequest`: `string service = 1`.
  static func request(for service: String) -> [UInt8] {
    let name = Array(service.utf8)
    var message: [UInt8] = []
    if !name.isEmpty {
      message.append(1 << 3 | 2)
      appendVarint(UInt64(name.count), to: &message)
      message += name
    }
    // Not compressed, and the length in four bytes.
    let count = UInt32(message.count)
    return [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + message
  }

  private static func appendVarint(_ value: UInt64, to message: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      message.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    message.append(UInt8(rest))
  }

  /// A value of `grpc-timeout`: eight digits at most, and the unit.
  static func timeoutText(_ timeout: Duration) -> String {
    let (seconds, attoseconds) = timeout.components
    let digitsMax: Int64 = 99_999_999
    if seconds > digitsMax / 1_000 - 1 { return "\(min(seconds, digitsMax))S" }
    return "\(max(1, seconds * 1_000 + attoseconds / 1_000_000_000_000_000))m"
  }

  // MARK: The answer

  /// - Parameters:
  ///   - status: of `grpc-status`; `nil` where there is none.
  ///   - content: all of the response's.
  static func judge(status: Int?, content: [UInt8]) -> HealthProbe.Outcome {
    guard let status else { return .failure("the response has no grpc-status") }
    guard status == 0 else { return .failure("gRPC status \(status)\(name(of: status))") }
    guard let message = message(content), let serving = servingStatus(message) else {
      return .failure("the response is not a HealthCheckResponse")
    }
    return switch serving {
    case 1: .success
    case 0: .failure("UNKNOWN")
    case 2: .failure("NOT_SERVING")
    case 3: .failure("SERVICE_UNKNOWN")
    default: .failure("serving status \(serving)")
    }
  }

  /// Of those that health checks meet.
  private static func name(of status: Int) -> String {
    switch status {
    case 4: " DEADLINE_EXCEEDED"
    case 5: " NOT_FOUND"
    case 7: " PERMISSION_DENIED"
    case 12: " UNIMPLEMENTED"
    case 13: " INTERNAL"
    case 14: " UNAVAILABLE"
    case 16: " UNAUTHENTICATED"
    default: ""
    }
  }

  /// The one message of a unary response; `nil` where it is something else, or compressed, which was
  /// not offered.
  private static func message(_ content: [UInt8]) -> ArraySlice<UInt8>? {
    guard content.count >= 5, content[0] == 0 else { return nil }
    let length = content[1..<5].reduce(0) { $0 << 8 | Int($1) }
    return content.count == 5 + length ? content[5...] : nil
  }

  /// `ServingStatus status = 1` of a `HealthCheckResponse`, 0 where it is missing, as protocol buffers
  /// have it; `nil` where the message is malformed.
  private static func servingStatus(_ message: ArraySlice<UInt8>) -> UInt64? {
    var rest = message
    var status: UInt64 = 0
    while !rest.isEmpty {
      // There is no field 0.
      guard let tag = takeVarint(&rest), tag >> 3 != 0 else { return nil }
      switch tag & 7 {
      case 0:
        guard let value = takeVarint(&rest) else { return nil }
        if tag >> 3 == 1 { status = value }
      case 1:
        guard rest.count >= 8 else { return nil }
        rest = rest.dropFirst(8)
      case 2:
        guard let count = takeVarint(&rest), count <= UInt64(rest.count) else { return nil }
        rest = rest.dropFirst(Int(count))
      case 5:
        guard rest.count >= 4 else { return nil }
        rest = rest.dropFirst(4)
      default: return nil
      }
    }
    return status
  }

  private static func takeVarint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }
}
