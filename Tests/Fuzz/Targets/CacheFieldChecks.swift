import HTTPCodec

@testable import Plugins

/// What a cache reads of a response: the input is its field lines.
///
/// - `Cache-Control`, of responses and of requests, means what a plain reading of the rules says.
/// - Names in `Vary` are tokens in lower case, each once, and few; otherwise nothing is stored.
/// - What is stored may be: neither `private` nor `no-store`, and more lines that say so forbid it always.
/// - Times are within bounds. What was not fresh once is never fresh again.
/// - Stored lines can be read again; what a validation brings takes the place of what was there.
enum CacheFieldChecks {
  private static let status = Array("HTTP/1.1 200 OK\r\n".utf8)
  private static let now: Int64 = 1_700_000_000

  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    guard let (facts, values) = read(input) else { return }
    let expected = PlainDirectives(values)
    try require(facts.directives == expected.response, "\(facts.directives), not \(expected.response)")
    try require(requests(values) == expected.request, "\(requests(values)), not \(expected.request)")
    try checkFacts(facts)
    try checkTerms(facts, expected.request, input)
    try checkLines(input)
  }

  /// What the cache knows of a response with these lines, and the values of its `Cache-Control`; nil where the
  /// gateway would refuse it.
  private static func read(_ input: [UInt8]) -> (ResponseFacts, [[UInt8]])? {
    let bytes = status + input + headEnd
    var parser = ResponseParser()
    var head = ResponseHead()
    guard (try? parser.parse(bytes.span, requestMethod: .get, into: &head)) == true else { return nil }
    // An empty line among the input would end the head before the rest of it.
    guard head.byteCount == bytes.count else { return nil }
    var facts = ResponseFacts()
    var values: [[UInt8]] = []
    for field in head.fields {
      facts.note(field, in: bytes.span, tagFields: [Array("surrogate-key".utf8), Array("cache-tag".utf8)])
      if bytes.span.equalsIgnoringCase(field.name, lowercase: "cache-control") {
        values.append(Array(bytes[field.value.range]))
      }
    }
    return (facts, values)
  }

  private static func requests(_ values: [[UInt8]]) -> RequestDirectives {
    var directives = RequestDirectives()
    for value in values { directives.note(ByteRange(start: 0, count: value.count), in: value.span) }
    return directives
  }

  private static func checkFacts(_ facts: ResponseFacts) throws(BrokenProperty) {
    try require(facts.vary.count <= ResponseFacts.varyMax, "\(facts.vary.count) names in Vary")
    for name in facts.vary {
      let isToken = name.span.isToken(ByteRange(start: 0, count: name.count))
      try require(isToken && !name.contains { (65...90).contains($0) }, "a name in Vary is none")
    }
    try require(Set(facts.vary).count == facts.vary.count, "a name stands twice in what Vary says")
    try require((0...DeltaSeconds.max).contains(facts.age), "an age of \(facts.age)")
    try require(facts.tags.count <= ResponseFacts.tagsMax, "\(facts.tags.count) tags")
    for tag in facts.tags {
      try require((1...ResponseFacts.tagBytesMax).contains(tag.count), "a tag of \(tag.count) bytes")
      try require(!tag.contains { $0 == 32 || $0 == 9 || $0 == 44 }, "a tag has a separator in it")
    }
  }

  private static func terms(_ facts: ResponseFacts) -> StorageTerms? {
    var rules = StorageRules()
    rules.lifetime = 60
    return try? rules.terms(for: facts, to: StorageRules.Request(), at: now, delay: 3)
  }

  private static func checkTerms(
    _ facts: ResponseFacts, _ request: RequestDirectives, _ input: [UInt8]
  ) throws(BrokenProperty) {
    for forbidden in ["private", "no-store"] {
      let more = input + (input.isEmpty ? [] : [13, 10]) + Array("Cache-Control: \(forbidden)".utf8)
      guard let (facts, _) = read(more), !facts.directives.mustUnderstand || forbidden == "private" else {
        continue
      }
      try require(terms(facts) == nil, "\(forbidden) in another line is passed over")
    }
    guard let terms = terms(facts) else { return }
    let directives = facts.directives
    try require(
      !directives.isPrivate && (!directives.noStore || directives.mustUnderstand), "stored all the same")
    try require(!facts.variesByAnything && !facts.hasSetCookie, "stored for everybody")
    try require(
      terms.lifetime >= 0 && terms.initialAge >= 3, "a lifetime of \(terms.lifetime), \(terms.initialAge) old"
    )
    try require(terms.initialAge <= DeltaSeconds.max, "it is \(terms.initialAge) s old")
    for request in [RequestDirectives(), request] {
      var wasFresh = true
      for seconds: Int64 in [0, 1, 59, 60, 3_600, DeltaSeconds.max] {
        let isFresh = Reuse(terms, sinceStored: seconds, request) == .fresh
        try require(wasFresh || !isFresh, "fresh again after \(seconds) s")
        let isYoung = terms.initialAge + seconds < terms.lifetime
        try require(!isFresh || isYoung && !terms.alwaysValidates, "fresh after \(seconds) s with \(terms)")
        wasFresh = isFresh
      }
      try require(
        !terms.mustRevalidate || Reuse(terms, sinceStored: DeltaSeconds.max, request) != .stale,
        "stale where that is forbidden")
    }
  }

  // MARK: Stored lines

  private static func checkLines(_ input: [UInt8]) throws(BrokenProperty) {
    guard !input.isEmpty else { return }
    let lines = input + [13, 10]
    let kept = StoredLines.withoutContent(lines)
    try require(StoredLines.withoutContent(kept) == kept, "left out a second time, more goes")
    try require(isRead(StoredLines.head(304, kept)), "what is left of the lines is refused")
    let updated = StoredLines.updated(lines, with: lines)
    try require(isRead(StoredLines.head(200, updated)), "updated lines are refused")
    try require(
      StoredLines.updated(updated, with: lines) == updated, "updated a second time, they are others")
  }

  private static func isRead(_ bytes: [UInt8]) -> Bool {
    var parser = ResponseParser()
    var head = ResponseHead()
    return (try? parser.parse(bytes.span, requestMethod: .head, into: &head)) == true
  }
}

/// `Cache-Control` read slowly: directives as texts, then what each of them says.
private struct PlainDirectives {
  private(set) var response = ResponseDirectives()
  private(set) var request = RequestDirectives()

  init(_ values: [[UInt8]]) {
    for value in values {
      (response.isGiven, request.isGiven) = (true, true)
      let (members, isBroken) = Self.split(value)
      for member in members {
        let trimmed = Self.trimmed(member)
        if trimmed.isEmpty { continue }
        let sign = trimmed.firstIndex(of: UInt8(ascii: "=")) ?? trimmed.endIndex
        let name = Self.trimmed(Array(trimmed[..<sign])).map(\.asciiLowercased)
        var argument = sign == trimmed.endIndex ? nil : Self.trimmed(Array(trimmed[(sign + 1)...]))
        let quote = UInt8(ascii: "\"")
        if let text = argument, text.count >= 2, text.first == quote, text.last == quote {
          argument = Array(text[1..<(text.count - 1)])
        }
        note(String(decoding: name, as: UTF8.self), argument)
      }
      if isBroken { (response.noStore, request.noStore) = (true, true) }
    }
  }

  /// At commas that stand in no quoted string.
  private static func split(_ value: [UInt8]) -> (members: [[UInt8]], isBroken: Bool) {
    var members: [[UInt8]] = [[]]
    var isQuoted = false
    var isEscaped = false
    for byte in value {
      if byte == UInt8(ascii: ","), !isQuoted {
        members.append([])
        continue
      }
      members[members.count - 1].append(byte)
      if isEscaped {
        isEscaped = false
      } else if isQuoted, byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
      }
    }
    return (members, isQuoted)
  }

  private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
    let start = bytes.drop { $0 == 32 || $0 == 9 }
    return Array(start.reversed().drop { $0 == 32 || $0 == 9 }.reversed())
  }

  private static func seconds(_ argument: [UInt8]?) -> Int64? {
    guard let argument, !argument.isEmpty, argument.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return min(Int64(String(decoding: argument, as: UTF8.self)) ?? .max, 2_147_483_648)
  }

  private mutating func note(_ name: String, _ argument: [UInt8]?) {
    let seconds = Self.seconds(argument)
    func least(_ known: Int64?) -> Int64 { min(seconds ?? 0, known ?? .max) }
    switch name {
    case "no-store": (response.noStore, request.noStore) = (true, true)
    case "no-cache": (response.noCache, request.noCache) = (true, true)
    case "private": response.isPrivate = true
    case "public": response.isPublic = true
    case "must-revalidate": response.mustRevalidate = true
    case "proxy-revalidate": response.proxyRevalidate = true
    case "must-understand": response.mustUnderstand = true
    case "only-if-cached": request.onlyIfCached = true
    case "max-age": (response.maxAge, request.maxAge) = (least(response.maxAge), least(request.maxAge))
    case "s-maxage": response.sharedMaxAge = least(response.sharedMaxAge)
    case "stale-while-revalidate": response.staleWhileRevalidate = least(response.staleWhileRevalidate)
    case "stale-if-error": response.staleIfError = least(response.staleIfError)
    case "min-fresh": request.minFresh = max(seconds ?? 2_147_483_648, request.minFresh ?? 0)
    case "max-stale":
      request.maxStale = min(argument == nil ? 2_147_483_648 : seconds ?? 0, request.maxStale ?? .max)
    default: break
    }
  }
}
