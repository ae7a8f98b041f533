extension Span where Element == UInt8 {
  /// The value of a cookie in the value of a `Cookie` field (RFC 6265 §4.2.1), without the quotes
  /// that may stand around it. The first of several counts, as servers commonly do.
  ///
  /// - Parameters:
  ///   - name: the cookie's name; cookies are case-sensitive.
  ///   - value: the range of the field's value in this span.
  public func cookieValue(named name: [UInt8], in value: ByteRange) -> ByteRange? {
    var position = Int(value.start)
    while position < value.end {
      let end = index(of: ASCII.semicolon, from: position, to: value.end)
      let pair = trimmed(ByteRange(start: position, count: end &- position))
      if let found = valueOfPair(pair, named: name) { return unquoted(trimmed(found)) }
      position = end &+ 1
    }
    return nil
  }

  /// The value of a parameter in a query (`a=1&b=2`), as it was sent: empty for a parameter
  /// without `=`. The first of several counts.
  ///
  /// Names are compared byte by byte and nothing is decoded: `a%62` is not `ab`.
  ///
  /// - Parameters:
  ///   - name: the parameter's name as it is sent.
  ///   - query: the range of the query, without `?`, in this span.
  public func queryValue(named name: [UInt8], in query: ByteRange) -> ByteRange? {
    var position = Int(query.start)
    while position < query.end {
      let end = index(of: ASCII.ampersand, from: position, to: query.end)
      let pair = ByteRange(start: position, count: end &- position)
      if let found = valueOfPair(pair, named: name) { return found }
      if equals(pair, name) { return ByteRange(start: end, count: 0) }
      position = end &+ 1
    }
    return nil
  }

  private func valueOfPair(_ pair: ByteRange, named name: [UInt8]) -> ByteRange? {
    guard Int(pair.count) > name.count, self[Int(pair.start) &+ name.count] == ASCII.equals,
      equals(ByteRange(start: Int(pair.start), count: name.count), name)
    else { return nil }
    let start = Int(pair.start) &+ name.count &+ 1
    return ByteRange(start: start, count: pair.end &- start)
  }

  private func unquoted(_ range: ByteRange) -> ByteRange {
    guard range.count >= 2, self[Int(range.start)] == ASCII.quote, self[range.end &- 1] == ASCII.quote
    else { return range }
    return ByteRange(start: Int(range.start) &+ 1, count: Int(range.count) &- 2)
  }

  /// The index of a byte, or `end` where it is not found.
  func index(of byte: UInt8, from start: Int, to end: Int) -> Int {
    var position = start
    while position < end, self[position] != byte { position &+= 1 }
    return position
  }
}
