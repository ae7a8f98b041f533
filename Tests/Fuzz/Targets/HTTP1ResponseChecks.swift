import HTTPCodec

/// Response heads of HTTP/1, as the answers to requests whose method matters for the framing.
///
/// - A head that arrives in pieces is read as the whole is, at the latest when it is complete.
/// - Ranges lie within the head; bytes behind it do not matter.
/// - What was accepted means the same when it is written out again.
/// - The method of the request changes nothing but the framing, and what depends on it.
enum HTTP1ResponseChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let toGet = parse(input, [input.count], .get)
    for method in [HTTPMethod.get, .head, .connect] {
      let whole = parse(input, [input.count], method)
      for ends in Pieces.ways(of: input) {
        var cut = parse(input, ends, method)
        if cut == .incomplete { cut = parse(input + headEnd, ends + [input.count + headEnd.count], method) }
        let other = cut == whole ? whole : parse(input + headEnd, [input.count + headEnd.count], method)
        try require(
          cut == other, "\(method), in pieces that end at \(ends.prefix(40)): \(cut), as a whole: \(other)")
      }
      try require(whole.isLike(toGet), "to \(method): \(whole), to GET: \(toGet)")
      guard case .accepted(let text) = whole else { continue }
      try require(
        parse(Array(input[..<text.byteCount]), [text.byteCount], method) == whole,
        "bytes behind the head matter")
      try checkFraming(text, method)
      let written = text.written
      guard case .accepted(var again) = parse(written, [written.count], method) else {
        throw BrokenProperty("what was accepted is refused when it is written out: \(written)")
      }
      again.byteCount = text.byteCount
      try require(again == text, "read again after it was written out: \(again), before: \(text)")
    }
    try checkRanges(input)
  }

  private static func parse(
    _ input: [UInt8], _ ends: [Int], _ method: HTTPMethod
  ) -> Outcome<ResponseText> {
    var parser = ResponseParser()
    var head = ResponseHead()
    for end in ends {
      do throws(HTTP1Error) {
        if try parser.parse(input.span.extracting(first: end), requestMethod: method, into: &head) {
          return .accepted(ResponseText(head, input))
        }
      } catch { return .refused(error) }
    }
    return .incomplete
  }

  private static func checkRanges(_ input: [UInt8]) throws(BrokenProperty) {
    var parser = ResponseParser()
    var head = ResponseHead()
    guard (try? parser.parse(input.span, requestMethod: .get, into: &head)) == true else { return }
    try require(head.byteCount <= input.count, "the head is longer than the input")
    try requireWithin(head.byteCount, [head.reason])
    try requireWithin(head.byteCount, head.fields)
  }

  private static func checkFraming(
    _ text: ResponseText, _ method: HTTPMethod
  ) throws(BrokenProperty) {
    try require(100...599 ~= text.status, "the status is \(text.status)")
    let isWithout =
      text.status < 200 || text.status == 204 || text.status == 304 || method == .head
      || method == .connect && text.status < 300
    try require(!isWithout || text.framing == .none, "content where there is none: \(text)")
    switch text.framing {
    case .none: try require(isWithout, "no content where there is some: \(text)")
    case .untilClose: try require(!text.isPersistent, "a connection that stays tells the end: \(text)")
    case .untilEndOfStream: throw BrokenProperty("a stream's end in HTTP/1")
    case .length, .chunked: break
    }
  }
}

extension Outcome where Value == ResponseText {
  /// Whether both were accepted with the same lines, or neither was for the same reason.
  fileprivate func isLike(_ other: Outcome<ResponseText>) -> Bool {
    guard case .accepted(let one) = self, case .accepted(let two) = other else { return self == other }
    return one.status == two.status && one.reason == two.reason && one.fields == two.fields
      && one.byteCount == two.byteCount
  }
}

/// A response head with its ranges made into bytes.
struct ResponseText: Equatable {
  var status: UInt16
  var reason: [UInt8]
  var version: HTTPVersion
  var fields: [FieldText]
  var framing: BodyFraming
  var isPersistent: Bool
  var hasConnectionOptions: Bool
  var byteCount: Int

  init(_ head: ResponseHead, _ bytes: [UInt8]) {
    status = head.status
    reason = Array(bytes[head.reason.range])
    version = head.version
    fields = head.fields.map { FieldText($0, in: bytes) }
    framing = head.framing
    isPersistent = head.isPersistent
    hasConnectionOptions = head.hasConnectionOptions
    byteCount = head.byteCount
  }

  /// The head in its plainest form.
  var written: [UInt8] {
    let version = version == .http10 ? "HTTP/1.0" : "HTTP/1.1"
    return Array("\(version) \(status) ".utf8) + reason + writtenFields(fields)
  }
}
