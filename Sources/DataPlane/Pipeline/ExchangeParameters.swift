import HTTPCodec

/// Parameters of the query and cookies, as plugins see them.
extension Exchange {
  /// The decoded value of the query's first parameter of a name; nil where there is none.
  /// - name: Decoded, case-sensitive.
  public func queryParameter(_ name: [UInt8]) -> [UInt8]? {
    guard request.hasQuery else { return nil }
    let input = input
    let bytes = input.bytes
    guard let range = bytes.decodedQueryValue(named: name, in: request.query) else { return nil }
    var value: [UInt8] = []
    bytes.percentDecode(range, into: &value)
    return value
  }

  /// The value of the first cookie of a name, as it was sent; nil where there is none.
  public func cookie(_ name: [UInt8]) -> [UInt8]? {
    let input = input
    let bytes = input.bytes
    for field in request.fields where field.known == .cookie {
      if let range = bytes.cookieValue(named: name, in: field.value) { return copy(range) }
    }
    return nil
  }

  /// The query's parameters of a name do not go to the endpoint.
  /// - name: Decoded, case-sensitive.
  public func dropQueryParameter(_ name: [UInt8]) {
    guard queryParameter(name) != nil || !rewrittenTarget.isEmpty else { return }
    let target = target()
    guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return }
    let query = target[(mark + 1)...]
    let kept = query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false).filter { pair in
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      let text = Array(pair[..<end])
      return !text.span.percentDecodes(ByteRange(start: 0, count: text.count), to: name)
    }
    var rewritten = Array(target[..<mark])
    if !kept.isEmpty {
      rewritten.append(UInt8(ascii: "?"))
      rewritten += kept.joined(separator: [UInt8(ascii: "&")])
    }
    rewriteTarget(rewritten)
  }

  /// Cookies of a name do not go to the endpoint; others do.
  public func dropCookie(_ name: [UInt8]) {
    guard cookie(name) != nil else { return }
    droppedCookies.append(name)
    var kept: [ArraySlice<UInt8>] = []
    for field in request.fields where field.known == .cookie {
      for pair in copy(field.value).split(separator: UInt8(ascii: ";")) {
        let trimmed = pair.drop { $0 == 0x20 || $0 == 0x09 }
        let end = trimmed.firstIndex(of: UInt8(ascii: "=")) ?? trimmed.endIndex
        if !droppedCookies.contains(Array(trimmed[..<end])) { kept.append(trimmed) }
      }
    }
    dropRequestField(Array("cookie".utf8))
    guard !kept.isEmpty else { return }
    addRequestLines(Array("Cookie: ".utf8) + kept.joined(separator: Array("; ".utf8)) + [13, 10])
  }
}
