/// The bytes that a client sends before its first frame (RFC 9113 §3.4).
public enum HTTP2Preface {
  /// Bytes of the preface.
  public static let byteCount = 24

  /// How the first bytes of a connection compare with the preface.
  public enum Match: UInt8, Sendable {
    /// They are the preface, or begin with it.
    case complete
    /// They are the beginning of it: more are needed.
    case partial
    /// They cannot become it.
    case different
  }

  /// Compares the first bytes that a client sent: how HTTP/2 by prior knowledge is told from HTTP/1.
  public static func match(_ bytes: Span<UInt8>) -> Match {
    let count = min(bytes.count, byteCount)
    for index in 0..<count where bytes[index] != text[index] { return .different }
    return count == byteCount ? .complete : .partial
  }

  /// `PRI * HTTP/2.0`, two line ends, `SM`, two line ends.
  static let text: InlineArray<24, UInt8> = [
    0x50, 0x52, 0x49, 0x20, 0x2A, 0x20, 0x48, 0x54, 0x54, 0x50, 0x2F, 0x32,
    0x2E, 0x30, 0x0D, 0x0A, 0x0D, 0x0A, 0x53, 0x4D, 0x0D, 0x0A, 0x0D, 0x0A,
  ]
}
