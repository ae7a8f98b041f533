import HTTPCodec
import Testing

/// What became of a message.
enum Outcome<Value: Equatable & Sendable>: Equatable, Sendable {
  case accepted(Value)
  case refused(HTTP1Error)
  case incomplete

  var value: Value? {
    if case .accepted(let value) = self { value } else { nil }
  }

  var error: HTTP1Error? {
    if case .refused(let error) = self { error } else { nil }
  }
}

/// One byte for each scalar, so that a literal can hold any byte.
func bytes(_ text: String) -> [UInt8] {
  text.unicodeScalars.map { UInt8($0.value) }
}

func text(_ bytes: [UInt8], _ range: ByteRange) -> String {
  String(String.UnicodeScalarView(bytes[range.range].map { Unicode.Scalar($0) }))
}

/// A request head with its ranges made into text.
struct RequestSummary: Equatable, Sendable {
  var method: HTTPMethod
  var methodText: String
  var form: TargetForm
  var target: String
  var path: String
  var query: String?
  var authority: String
  var host: String
  var version: HTTPVersion
  var fields: [FieldSummary]
  var framing: BodyFraming
  var isPersistent: Bool
  var expectsContinue: Bool
  var hasConnectionOptions: Bool
  var byteCount: Int

  init(_ head: RequestHead, _ bytes: [UInt8]) {
    method = head.method
    methodText = text(bytes, head.methodRange)
    form = head.targetForm
    target = text(bytes, head.target)
    path = text(bytes, head.path)
    query = head.hasQuery ? text(bytes, head.query) : nil
    authority = text(bytes, head.authority)
    host = text(bytes, head.host)
    version = head.version
    fields = head.fields.map { FieldSummary($0, bytes) }
    framing = head.framing
    isPersistent = head.isPersistent
    expectsContinue = head.expectsContinue
    hasConnectionOptions = head.hasConnectionOptions
    byteCount = head.byteCount
  }
}

struct FieldSummary: Equatable, Sendable {
  var name: String
  var value: String
  var known: KnownField

  init(_ name: String, _ value: String, _ known: KnownField = .other) {
    self.name = name
    self.value = value
    self.known = known
  }

  init(_ field: Field, _ bytes: [UInt8]) {
    self.init(text(bytes, field.name), text(bytes, field.value), field.known)
  }
}

struct ResponseSummary: Equatable, Sendable {
  var status: UInt16
  var reason: String
  var version: HTTPVersion
  var fields: [FieldSummary]
  var framing: BodyFraming
  var isPersistent: Bool
  var hasConnectionOptions: Bool
  var byteCount: Int

  init(_ head: ResponseHead, _ bytes: [UInt8]) {
    status = head.status
    reason = text(bytes, head.reason)
    version = head.version
    fields = head.fields.map { FieldSummary($0, bytes) }
    framing = head.framing
    isPersistent = head.isPersistent
    hasConnectionOptions = head.hasConnectionOptions
    byteCount = head.byteCount
  }
}

/// Parses prefixes of the input, one after the other, until the head is complete or refused.
func parseRequest(
  _ input: [UInt8], prefixes: [Int], limits: HTTP1Limits = HTTP1Limits()
) -> Outcome<RequestSummary> {
  var parser = RequestParser(limits: limits)
  var head = RequestHead()
  for count in prefixes {
    do {
      if try parser.parse(input.span.extracting(first: count), into: &head) {
        return .accepted(RequestSummary(head, input))
      }
    } catch { return .refused(error) }
  }
  return .incomplete
}

func parseResponse(
  _ input: [UInt8], _ method: HTTPMethod, prefixes: [Int], limits: HTTP1Limits = HTTP1Limits()
) -> Outcome<ResponseSummary> {
  var parser = ResponseParser(limits: limits)
  var head = ResponseHead()
  for count in prefixes {
    do {
      if try parser.parse(input.span.extracting(first: count), requestMethod: method, into: &head) {
        return .accepted(ResponseSummary(head, input))
      }
    } catch { return .refused(error) }
  }
  return .incomplete
}

/// Parses a request whole, in two pieces split anywhere, and byte by byte: all must agree.
func request(
  _ input: String, limits: HTTP1Limits = HTTP1Limits(), _ location: SourceLocation = #_sourceLocation
) -> Outcome<RequestSummary> {
  let input = bytes(input)
  return agreed(input.count, location) { parseRequest(input, prefixes: $0, limits: limits) }
}

func response(
  _ input: String, to method: HTTPMethod = .get, limits: HTTP1Limits = HTTP1Limits(),
  _ location: SourceLocation = #_sourceLocation
) -> Outcome<ResponseSummary> {
  let input = bytes(input)
  return agreed(input.count, location) { parseResponse(input, method, prefixes: $0, limits: limits) }
}

private func agreed<Value: Equatable & Sendable>(
  _ count: Int, _ location: SourceLocation, _ parse: ([Int]) -> Outcome<Value>
) -> Outcome<Value> {
  let whole = parse([count])
  for split in 0..<count {
    let pieces = parse([split, count])
    #expect(pieces == whole, "split at \(split)", sourceLocation: location)
    if pieces != whole { break }
  }
  #expect(parse(Array(0...count)) == whole, "byte by byte", sourceLocation: location)
  return whole
}

/// A request with one more field line.
func requestWith(_ line: String) -> Outcome<RequestSummary> {
  request("POST / HTTP/1.1\r\nHost: a\r\n\(line)\r\nX: y\r\n\r\n")
}

/// A small seeded generator (SplitMix64): the same numbers at each run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

// A span cannot stand in an expectation: these make one of an array.
extension [UInt8] {
  func equalsIgnoringCase(_ range: ByteRange, lowercase: String) -> Bool {
    span.equalsIgnoringCase(range, lowercase: lowercase)
  }

  func equalsIgnoringCase(_ range: ByteRange, lowercase: [UInt8]) -> Bool {
    span.equalsIgnoringCase(range, lowercase: lowercase)
  }

  func equalIgnoringCase(_ one: ByteRange, _ other: ByteRange) -> Bool {
    span.equalIgnoringCase(one, other)
  }

  func equals(_ range: ByteRange, _ other: [UInt8]) -> Bool { span.equals(range, other) }
  func isToken(_ range: ByteRange) -> Bool { span.isToken(range) }
  func decimal(in range: ByteRange) -> UInt64? { span.decimal(in: range) }
  func hexadecimal(in range: ByteRange) -> UInt64? { span.hexadecimal(in: range) }
  func trimmed(_ range: ByteRange) -> ByteRange { span.trimmed(range) }

  func cookieValue(named name: String, in range: ByteRange) -> String? {
    span.cookieValue(named: bytes(name), in: range).map { text(self, $0) }
  }

  func queryValue(named name: String, in range: ByteRange) -> String? {
    span.queryValue(named: bytes(name), in: range).map { text(self, $0) }
  }

  func isForbiddenTrailer(_ field: Field) -> Bool { TrailerSection.isForbidden(field, in: span) }
}
