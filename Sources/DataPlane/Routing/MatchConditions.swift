import HTTPCodec
import Resources

/// What a match asks for beyond its path and the well-known methods.
struct MatchConditions {
  /// A header or query parameter with a value.
  struct Value {
    var name: [UInt8]
    var text: [UInt8]
    /// In the table's ``ExpressionPool``; ``Pool/none``: the value is `text`.
    var expression: UInt32
  }

  /// Methods that ``HTTPMethod`` does not name, any of which will do; empty: none may come.
  var otherMethods: [[UInt8]] = []
  var headers: [Value] = []
  var query: [Value] = []

  var isEmpty: Bool { otherMethods.isEmpty && headers.isEmpty && query.isEmpty }

  /// Whether a request fulfils all of them.
  ///
  /// - Parameter decoded: room for decoded text, kept for the next time.
  func hold(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ expressions: borrowing ExpressionPool,
    decoded: inout [UInt8]
  ) -> Bool {
    if head.method == .other, !otherMethods.isEmpty, !namesMethod(head.methodRange, bytes) { return false }
    for index in headers.indices where !headerHolds(index, head, bytes, expressions) { return false }
    for index in query.indices where !parameterHolds(index, head, bytes, expressions, &decoded) {
      return false
    }
    return true
  }

  private func namesMethod(_ method: ByteRange, _ bytes: Span<UInt8>) -> Bool {
    for index in otherMethods.indices where bytes.equals(method, otherMethods[index]) { return true }
    return false
  }

  /// One of the field lines with that name has to have the value: the Gateway API leaves it open
  /// how repeated fields are seen. Values are case-sensitive.
  private func headerHolds(
    _ index: Int, _ head: borrowing RequestHead, _ bytes: Span<UInt8>,
    _ expressions: borrowing ExpressionPool
  ) -> Bool {
    for field in head.fields.indices {
      guard bytes.equalsIgnoringCase(head.fields[field].name, lowercase: headers[index].name) else {
        continue
      }
      let value = head.fields[field].value
      if headers[index].expression == Pool<Rule>.none {
        if bytes.equals(value, headers[index].text) { return true }
      } else if expressions.matchesWhole(headers[index].expression, bytes.bytes(in: value)) {
        return true
      }
    }
    return false
  }

  /// The first parameter with that name has to have the value. Both are percent-decoded before they
  /// are compared; a plus sign is a plus sign. The Gateway API asks for the first and leaves the
  /// rest open.
  private func parameterHolds(
    _ index: Int, _ head: borrowing RequestHead, _ bytes: Span<UInt8>,
    _ expressions: borrowing ExpressionPool, _ decoded: inout [UInt8]
  ) -> Bool {
    guard let value = bytes.decodedQueryValue(named: query[index].name, in: head.query) else { return false }
    if query[index].expression == Pool<Rule>.none {
      return bytes.percentDecodes(value, to: query[index].text)
    }
    decoded.removeAll(keepingCapacity: true)
    bytes.percentDecode(value, into: &decoded)
    return expressions.matchesWhole(query[index].expression, decoded.span)
  }
}

extension MatchConditions {
  /// The conditions of a match, with its expressions taken into use.
  init(_ match: Match, _ expressions: inout ExpressionPool) {
    for name in match.methods where HTTPMethod.bit(named: name) == nil {
      otherMethods.append(Array(name.utf8))
    }
    for header in match.headers {
      let name = header.name.utf8.map { $0.asciiLowercased }
      Self.add(name, header.value, to: &headers, &expressions)
    }
    for parameter in match.query {
      Self.add(Array(parameter.name.utf8), parameter.value, to: &query, &expressions)
    }
  }

  /// Of several conditions on one name the first counts (Gateway API `HTTPHeaderMatch`,
  /// `HTTPQueryParamMatch`).
  private static func add(
    _ name: [UInt8], _ value: FieldMatch.Value, to values: inout [Value], _ expressions: inout ExpressionPool
  ) {
    guard !values.contains(where: { $0.name == name }) else { return }
    switch value {
    case .exact(let text):
      values.append(Value(name: name, text: Array(text.utf8), expression: Pool<Rule>.none))
    case .regex(let pattern):
      values.append(Value(name: name, text: [], expression: expressions.retain(pattern)))
    }
  }

  /// Gives its expressions back.
  func release(_ expressions: inout ExpressionPool) {
    for value in headers + query where value.expression != Pool<Rule>.none {
      expressions.release(value.expression)
    }
  }
}

extension HTTPMethod {
  /// A bit for each method; ``other`` has one too.
  @inline(__always)
  var bit: UInt16 { 1 &<< UInt16(rawValue) }

  /// The bit of a method that has one of its own, from its name.
  static func bit(named name: String) -> UInt16? {
    switch name {
    case "GET": HTTPMethod.get.bit
    case "HEAD": HTTPMethod.head.bit
    case "POST": HTTPMethod.post.bit
    case "PUT": HTTPMethod.put.bit
    case "DELETE": HTTPMethod.delete.bit
    case "CONNECT": HTTPMethod.connect.bit
    case "OPTIONS": HTTPMethod.options.bit
    case "TRACE": HTTPMethod.trace.bit
    case "PATCH": HTTPMethod.patch.bit
    default: nil
    }
  }
}
