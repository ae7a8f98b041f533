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

  /// Groups that can be asked for, the whole text not counted.
  public static let groupsMax = 31

  /// Compiles `pattern`: ASCII, with other bytes written as `\xNN`.
  ///
  /// - hasGroups: Whether ``groups(in:)`` will be asked for: matching is slower with groups.
  public init(
    _ pattern: String, ignoresCase: Bool = false, hasGroups: Bool = false
  ) throws(RegularExpressionError) {
    guard pattern.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw RegularExpressionError(message: "only ASCII is allowed: write other bytes as \\xNN")
    }
    guard pattern.utf8.count <= Self.patternBytesMax else {
      throw RegularExpressionError(message: "longer than \(Self.patternBytesMax) bytes")
    }
    let flags =
      (ignoresCase ? Int32(CRE2_CASE_INSENSITIVE) : 0) | (hasGroups ? Int32(CRE2_GROUPS) : 0)
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

  /// Whether the pattern is found anywhere in `bytes`.
  public func matchesPart(of bytes: Span<UInt8>) -> Bool {
    // The span outlives the call, which keeps nothing.
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe cre2_partial_match(handle, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        == 1
    }
  }

  /// Whether the pattern matches all of `bytes`.
  public func matchesWhole(_ bytes: Span<UInt8>) -> Bool {
    // The span outlives the call, which keeps nothing.
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe cre2_full_match(handle, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        == 1
    }
  }

  /// How many groups the pattern has; 0 where it was compiled without.
  public var groupCount: Int {
    // The handle lives as long as this.
    unsafe Int(cre2_group_count(handle))
  }

  /// Where the groups of the pattern are in `bytes`, the whole text first; nil where the pattern does not match
  /// all of `bytes`, and an empty range for a group that took no part.
  public func groups(in bytes: Span<UInt8>) -> [Range<Int>]? { groups(in: bytes, from: 0, isWhole: true) }

  /// The same for the first place from a position on where the pattern is found; the place comes first.
  public func groups(in bytes: Span<UInt8>, from position: Int) -> [Range<Int>]? {
    groups(in: bytes, from: position, isWhole: false)
  }

  private func groups(in bytes: Span<UInt8>, from position: Int, isWhole: Bool) -> [Range<Int>]? {
    let count = min(groupCount, Self.groupsMax) + 1
    var bounds = [Int32](repeating: -1, count: count * 2)
    // The span and the array, which has room for two numbers a group, outlive the call, which keeps neither.
    let isMatch = unsafe bytes.withUnsafeBytes { buffer in
      unsafe cre2_match_groups(
        handle, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count, position,
        isWhole ? 1 : 0, &bounds, Int32(count))
    }
    guard isMatch == 1 else { return nil }
    return (0..<count).map { group in
      let start = Int(bounds[group * 2])
      let end = Int(bounds[group * 2 + 1])
      return start >= 0 && start <= end && end <= bytes.count ? start..<end : 0..<0
    }
  }
}
