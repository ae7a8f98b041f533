import HTTPCodec

/// Request heads of HTTP/1.
///
/// - A head that arrives in pieces is read as the whole is, at the latest when it is complete.
/// - Ranges lie within the head; bytes behind it do not matter.
/// - What was accepted means the same when it is written out again, and framing is what the fields say.
/// - Smaller limits only refuse more, and are kept.
enum HTTP1RequestChecks {
  /// Limits that a short input reaches.
  private static let small = HTTP1Limits(targetBytes: 40, headBytes: 200, fields: 6)

  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let whole = parse(input, [input.count])
    for ends in Pieces.ways(of: input) {
      var cut = parse(input, ends)
      if cut == .incomplete { cut = parse(input + headEnd, ends + [input.count + headEnd.count]) }
      let other = cut == whole ? whole : parse(input + headEnd, [input.count + headEnd.count])
      try require(cut == other, "in pieces that end at \(ends.prefix(40)): \(cut), as a whole: \(other)")
    }
    try checkSmallLimits(input, whole)
    guard case .accepted(let text) = whole else { return }
    try require(
      parse(Array(input[..<text.byteCount]), [text.byteCount]) == whole, "bytes behind the head matter")
    try checkRanges(input)
    try checkFraming(text)
    let written = text.written
    guard case .accepted(var again) = parse(written, [written.count]) else {
      throw BrokenProperty("what was accepted is refused when it is written out: \(written)")
    }
    again.byteCount = text.byteCount
    try require(again == text, "read again after it was written out: \(again), before: \(text)")
    try checkPath(text)
  }

  private static func parse(
    _ input: [UInt8], _ ends: [Int], _ limits: HTTP1Limits = HTTP1Limits()
  ) -> Outcome<RequestText> {
    var parser = RequestParser(limits: limits)
    var head = RequestHead()
    for end in ends {
      do throws(HTTP1Error) {
        if try parser.parse(input.span.extracting(first: end), into: &head) {
          return .accepted(RequestText(head, input))
        }
      } catch { return .refused(error) }
    }
    return .incomplete
  }

  /// Which error is reported may depend on how much came at once: beyond the limit nothing is looked at.
  private static func checkSmallLimits(
    _ input: [UInt8], _ whole: Outcome<RequestText>
  ) throws(BrokenProperty) {
    let atOnce = parse(input, [input.count], small)
    if case .accepted(let text) = atOnce {
      try require(atOnce == whole, "smaller limits change the result")
      try require(
        text.byteCount <= small.headBytes && text.fields.count <= small.fields
          && text.target.count <= small.targetBytes, "a limit is not kept: \(text)")
    }
    for ends in Pieces.ways(of: input) {
      let cut = parse(input, ends, small)
      switch (cut, atOnce) {
      case (.refused, .refused), (.incomplete, .refused): break
      default: try require(cut == atOnce, "limits, in pieces: \(cut), as a whole: \(atOnce)")
      }
    }
  }

  private static func checkRanges(_ input: [UInt8]) throws(BrokenProperty) {
    var parser = RequestParser()
    var head = RequestHead()
    guard (try? parser.parse(input.span, into: &head)) == true else { return }
    try require(head.byteCount <= input.count, "the head is longer than the input")
    try requireWithin(
      head.byteCount, [head.methodRange, head.target, head.path, head.query, head.authority, head.host])
    try requireWithin(head.byteCount, head.fields)
    try require(head.host.start >= head.authority.start, "the host is not in the authority")
    try require(head.host.end <= head.authority.end, "the host is not in the authority")
  }

  /// A slow reading of what the fields say about content (RFC 9112 §6).
  private static func checkFraming(_ text: RequestText) throws(BrokenProperty) {
    let lengths = text.values(of: "content-length")
    let codings = text.values(of: "transfer-encoding")
    switch text.framing {
    case .none: try require(lengths.isEmpty && codings.isEmpty, "no content, though fields announce some")
    case .length(let length):
      try require(codings.isEmpty && lengths.count == 1, "a length beside another")
      try require(UInt64(lengths[0]) == length, "the length is \(length), the field \(lengths[0])")
      try require(lengths[0].utf8.allSatisfy { 48...57 ~= $0 }, "the length is not digits alone")
    case .chunked:
      try require(lengths.isEmpty && codings.count == 1, "chunked content, and a length or another coding")
      try require(codings[0].lowercased() == "chunked", "chunked, though the coding is \(codings[0])")
      try require(text.version == .http11, "chunked content in HTTP/1.0")
    case .untilClose, .untilEndOfStream: throw BrokenProperty("a request without an end")
    }
    try require(text.values(of: "host").count <= 1, "several hosts")
    try require(text.version == .http10 || text.values(of: "host").count == 1, "no host")
  }

  /// A path that passes the parser is brought to its form, or refused, without surprise.
  private static func checkPath(_ text: RequestText) throws(BrokenProperty) {
    if !text.path.isEmpty { try PathChecks.check(text.path) }
  }
}

/// A request head with its ranges made into bytes.
struct RequestText: Equatable {
  var method: HTTPMethod
  var methodText: [UInt8]
  var form: TargetForm
  var target: [UInt8]
  var path: [UInt8]
  var query: [UInt8]?
  var authority: [UInt8]
  var host: [UInt8]
  var version: HTTPVersion
  var fields: [FieldText]
  var framing: BodyFraming
  var isPersistent: Bool
  var expectsContinue: Bool
  var hasConnectionOptions: Bool
  var byteCount: Int

  init(_ head: RequestHead, _ bytes: [UInt8]) {
    method = head.method
    methodText = Array(bytes[head.methodRange.range])
    form = head.targetForm
    target = Array(bytes[head.target.range])
    path = Array(bytes[head.path.range])
    query = head.hasQuery ? Array(bytes[head.query.range]) : nil
    authority = Array(bytes[head.authority.range])
    host = Array(bytes[head.host.range])
    version = head.version
    fields = head.fields.map { FieldText($0, in: bytes) }
    framing = head.framing
    isPersistent = head.isPersistent
    expectsContinue = head.expectsContinue
    hasConnectionOptions = head.hasConnectionOptions
    byteCount = head.byteCount
  }

  /// The head in its plainest form.
  var written: [UInt8] {
    let version = version == .http10 ? "HTTP/1.0" : "HTTP/1.1"
    return methodText + [32] + target + [32] + Array(version.utf8) + writtenFields(fields)
  }

  /// The values of all fields with a name in lower case.
  func values(of name: String) -> [String] {
    fields.filter { String(decoding: $0.name, as: UTF8.self).lowercased() == name }
      .map { String(decoding: $0.value, as: UTF8.self) }
  }
}

/// The end of a first line, and field lines with the empty line behind them.
func writtenFields(_ fields: [FieldText]) -> [UInt8] {
  var written: [UInt8] = [13, 10]
  for field in fields { written += field.name + [58, 32] + field.value + [13, 10] }
  return written + [13, 10]
}
