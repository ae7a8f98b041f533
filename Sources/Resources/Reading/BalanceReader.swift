/// Reads `balance`: a word, or a mapping with `hash` or `sticky`.
enum BalanceReader {
  private static let words: [(word: String, value: Balance)] = [
    ("round-robin", .roundRobin), ("least-request", .leastRequest),
  ]
  private static let mappings = ["hash", "sticky"]
  private static let hashExample = "such as {hash: {by: client-ip}} or {hash: {header: X-User}}"
  private static let stickyExample = "such as {sticky: {cookie: route}}"

  static func read(_ value: Value) -> Balance? {
    if value.isWord("hash") {
      value.report("hash needs to know by what", hint: hashExample)
      return nil
    }
    if value.isWord("sticky") {
      value.report("sticky needs the name of a cookie", hint: stickyExample)
      return nil
    }
    guard value.isMapping else { return value.choice(words, others: mappings) }
    guard let mapping = MappingReader(value, keys: mappings) else { return nil }
    switch (mapping["hash"], mapping["sticky"]) {
    case (let hash?, nil): return readHash(hash).map(Balance.hash)
    case (nil, let sticky?): return readSticky(sticky)
    case (.some, .some): value.report("hash and sticky exclude each other")
    case (nil, nil): value.report("expected one of hash, sticky", hint: hashExample)
    }
    return nil
  }

  private static func readHash(_ value: Value) -> HashKey? {
    let keys = ["by", "header", "cookie", "query"]
    guard let mapping = MappingReader(value, keys: keys, hint: hashExample) else { return nil }
    let present = keys.filter { mapping[$0] != nil }
    guard present.count == 1, let key = present.first, let written = mapping[key] else {
      value.report(
        present.isEmpty
          ? "hash needs to know by what" : "\(present.joined(separator: " and ")) exclude each other",
        hint: hashExample)
      return nil
    }
    guard key == "by" else { return readKey(key, written) }
    if written.isWord("client-ip") { return .clientIP }
    guard written.isMapping else {
      return written.choice(
        [("client-ip", HashKey.clientIP)], others: ["header", "cookie", "query"].map { "{\($0): NAME}" })
    }
    guard let inner = MappingReader(written, keys: ["header", "cookie", "query"]) else { return nil }
    let kinds = ["header", "cookie", "query"].filter { inner[$0] != nil }
    guard kinds.count == 1, let kind = kinds.first, let name = inner[kind] else {
      written.report("expected exactly one of header, cookie, query")
      return nil
    }
    return readKey(kind, name)
  }

  private static func readKey(_ kind: String, _ value: Value) -> HashKey? {
    switch kind {
    case "header": value.token("a field name").map { .header($0.lowercased()) }
    case "cookie": value.token("a cookie name").map(HashKey.cookie)
    default: value.text("the name of a query parameter").map(HashKey.query)
    }
  }

  private static func readSticky(_ value: Value) -> Balance? {
    guard let mapping = MappingReader(value, keys: ["cookie"], hint: stickyExample) else { return nil }
    return mapping.required("cookie", stickyExample)?.token("a cookie name").map { .sticky(cookie: $0) }
  }
}
