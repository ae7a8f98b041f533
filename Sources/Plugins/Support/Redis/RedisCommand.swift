import Runtime

/// Commands as they are sent: arrays of strings, whose lengths stand before them, so that nothing in a string can be
/// taken for anything else.
enum RedisCommand {
  static func append(_ parts: [[UInt8]], to buffer: Buffer) {
    buffer.append("*")
    buffer.append(decimal: UInt64(parts.count))
    buffer.append("\r\n")
    for part in parts {
      buffer.append("$")
      buffer.append(decimal: UInt64(part.count))
      buffer.append("\r\n")
      buffer.append(part)
      buffer.append("\r\n")
    }
  }
}

/// A script that the server runs as one step.
struct RedisScript: Sendable {
  let text: [UInt8]

  init(_ text: String) { self.text = Array(text.utf8) }
}
