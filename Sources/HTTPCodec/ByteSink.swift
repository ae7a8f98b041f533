/// Where the codec writes: a buffer of the caller's, which grows by itself.
public protocol ByteSink: AnyObject {
  /// Bytes that it holds.
  var count: Int { get }
  func append(_ byte: UInt8)
  func append(_ bytes: Span<UInt8>)
  /// Overwrites bytes that it holds; `position` counts from the first.
  func replaceBytes(at position: Int, with bytes: Span<UInt8>)
}
