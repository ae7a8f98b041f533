import HTTPCodec
import Runtime

/// What a client has sent of a request's head, while the rest is waited for: no more memory than that, so
/// that ten thousand clients that send a byte now and then cost little.
final class PartialHead {
  let bytes: Buffer
  /// How far the bytes were looked at.
  let parser: RequestParser
  let began: MonotonicTime
  /// When the head has to be whole.
  let deadline: MonotonicTime
  /// The deadline has passed.
  var isLate = false

  init(of input: Buffer, _ parser: RequestParser, began: MonotonicTime, limit nanoseconds: Int64) {
    bytes = Buffer(capacity: input.count)
    bytes.append(input, range: 0..<input.count)
    self.parser = parser
    self.began = began
    deadline = began.advanced(byNanoseconds: nanoseconds)
  }
}
