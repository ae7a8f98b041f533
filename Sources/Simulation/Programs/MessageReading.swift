import HTTPCodec
import Runtime

/// A request's head as it is read.
struct RequestReading {
  private var parser = RequestParser(
    limits: HTTP1Limits(targetBytes: 1 << 20, headBytes: 1 << 20, fields: 1_000))
  private(set) var request = SimulatedRequest()
  private(set) var framing = BodyFraming.none
  private(set) var expectsContinue = false

  /// Takes the head out of `input`; false when it is not all there.
  mutating func parse(_ input: Buffer) throws(StreamFailure) -> Bool {
    var head = RequestHead()
    do {
      guard try parser.parse(input.bytes, into: &head) else { return false }
    } catch {
      throw .malformed(error)
    }
    let bytes = input.bytes
    request.method = bytes.text(head.methodRange)
    request.target = bytes.text(head.target)
    request.fields = bytes.fields(head.fields)
    framing = head.framing
    expectsContinue = head.expectsContinue
    input.consume(head.byteCount)
    return true
  }
}

/// Response heads as they are read: interim ones, then the final one.
struct ResponseReading {
  let method: HTTPMethod
  private var parser = ResponseParser(limits: HTTP1Limits(headBytes: 1 << 20, fields: 1_000))
  private(set) var framing = BodyFraming.none
  private(set) var isFinal = false

  init(method: HTTPMethod) { self.method = method }

  /// Takes one head out of `input`; false when it is not all there.
  mutating func parse(_ input: Buffer, into response: inout SimulatedResponse) throws(StreamFailure) -> Bool {
    var head = ResponseHead()
    do {
      guard try parser.parse(input.bytes, requestMethod: method, into: &head) else { return false }
    } catch {
      throw .malformed(error)
    }
    isFinal = head.status >= 200 || head.status == 101
    if isFinal {
      response.status = Int(head.status)
      response.fields = input.bytes.fields(head.fields)
      response.isPersistent = head.isPersistent
      framing = head.framing
    } else {
      response.interim.append(Int(head.status))
      parser.reset()
    }
    input.consume(head.byteCount)
    return true
  }
}

extension ChunkedDecoder {
  /// Takes chunks out of `input` and gives their content to `take`.
  /// - Returns: the trailers, once the last chunk was there.
  mutating func decode(
    _ input: Buffer, _ take: ([UInt8]) -> Void
  ) throws(StreamFailure) -> [SimulatedField]? {
    while true {
      let event: ChunkedEvent
      do {
        event = try next(input.bytes, from: 0)
      } catch {
        throw .malformed(error)
      }
      switch event {
      case .data(let range):
        input.consume(Int(range.start))
        take(input.takeBytes(Int(range.count)))
      case .needMore(let consumed):
        input.consume(consumed)
        return nil
      case .end(let section, let consumed):
        var fields: [Field] = []
        do {
          try TrailerSection.parse(input.bytes, section, into: &fields)
        } catch {
          throw .malformed(error)
        }
        defer { input.consume(consumed) }
        return input.bytes.fields(fields)
      }
    }
  }
}

extension Buffer {
  /// Takes out the first `count` bytes.
  func takeBytes(_ count: Int) -> [UInt8] {
    // Copied during the call.
    let taken = unsafe withBytes { unsafe Array($0.prefix(count)) }
    consume(count)
    return taken
  }
}

extension Span where Element == UInt8 {
  func text(_ range: ByteRange) -> String {
    var bytes: [UInt8] = []
    for index in range.range { bytes.append(self[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }

  func fields(_ fields: [Field]) -> [SimulatedField] {
    var result: [SimulatedField] = []
    for field in fields { result.append(SimulatedField(name: text(field.name), value: text(field.value))) }
    return result
  }
}
