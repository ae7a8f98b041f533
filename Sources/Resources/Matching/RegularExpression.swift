import CRE2

/// Why a pattern was refused: RE2's message.
public struct RegularExpressionError: Error, Equatable, CustomStringConvertible {
  public let message: String
  public var description: String { message }
}

/// An RE2 pattern, matched against whole texts in time linear in the text.
///
/// Text is bytes, one byte a character. Any thread may match, but threads that share an instance
/// share the lock of its cache: give each worker its own. Holds at most 1 MiB.
@safe  // The handle is set once, never handed out, and freed when nothing refers to this any more.
public final class RegularExpression: @unchecked Sendable {
  /// Bytes of a pattern; longer ones are generated, and cost memory in every worker.
  public static let patternBytesMax = 4_096

  /// Never null and never changed; RE2 promises that matching is thread-safe.
  private let handle: OpaquePointer

  /// Compiles `pattern`: ASCII, with other bytes written as `\xNN`.
  public init(_ pattern: String, ignoresCase: Bool = false) throws(RegularExpressionError) {
    guard pattern.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw RegularExpressionError(message: "only ASCII is allowed: write other bytes as \\xNN")
    }
    guard pattern.utf8.count <= Self.patternBytesMax else {
      throw RegularExpressionError(message: "longer than \(Self.patternBytesMax) bytes")
    }
    let flags = ignoresCase ? Int32(CRE2_CASE_INSENSITIVE) : 0
    var message = [CChar](repeating: 0, count: 256)
    var pattern = pattern
    let compiled = pattern.withUTF8 { pattern in
      unsafe message.withUnsafeMutableBufferPointer { message in
        // Both buffers outlive the call, which keeps neither.
        unsafe pattern.withMemoryRebound(to: CChar.self) { pattern in
          unsafe cre2_compile(pattern.baseAddress, pattern.count, flags, message.baseAddress, message.count)
        }
      }
    }
    guard let compiled = unsafe compiled else {
      let bytes = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw RegularExpressionError(message: String(decoding: bytes, as: UTF8.self))
    }
    unsafe handle = compiled
  }

  deinit {
    // The only owner of the handle ends here.
    unsafe cre2_free(handle)
  }

  /// Whether the pattern matches all of `bytes`.
  public func matchesWhole(_ bytes: Span<UInt8>) -> Bool {
    // The span outlives the call, which keeps nothing.
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe cre2_full_match(handle, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        == 1
    }
  }
}
