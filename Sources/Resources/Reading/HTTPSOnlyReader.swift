/// Reads `redirect` and `hsts`, which listeners and routes may have.
enum HTTPSOnlyReader {
  static let redirectKeys = ["to", "port", "status"]
  static let hstsKeys = ["maxAge", "includeSubdomains", "preload"]

  /// Ten years: above that, a typing error is likelier than an intention.
  static let maxAgeMax = Duration.seconds(3_650 * 86_400)
  /// What the lists that browsers ship ask for (hstspreload.org).
  static let preloadAgeMin = Duration.seconds(365 * 86_400)

  static func readRedirect(_ value: Value) -> HTTPSRedirect? {
    let schemes = [("https", HTTPSRedirect())]
    guard value.isMapping else {
      return value.choice(schemes, others: ["off", "{to: https, port: PORT, status: STATUS}"])
    }
    guard let mapping = MappingReader(value, keys: redirectKeys) else { return nil }
    var redirect = HTTPSRedirect()
    mapping.read("to", into: &redirect) { $0.choice(schemes) }
    mapping.read("port", into: &redirect.port) { $0.integer(in: 1...65_535).map { UInt16($0) } }
    mapping.read("status", into: &redirect.status) { value in
      let words = HTTPSRedirect.statuses.map { (word: "\($0)", value: $0) }
      return value.choice(words)
    }
    return redirect
  }

  static func readHSTS(_ value: Value) -> StrictTransportSecurity? {
    var hsts = StrictTransportSecurity()
    guard value.isMapping else {
      return readMaxAge(value).map { maxAge in
        hsts.maxAge = maxAge
        return hsts
      }
    }
    guard let mapping = MappingReader(value, keys: hstsKeys) else { return nil }
    mapping.read("maxAge", into: &hsts.maxAge, readMaxAge)
    mapping.read("includeSubdomains", into: &hsts.includeSubdomains) { $0.boolean() }
    mapping.read("preload", into: &hsts.preload) { $0.boolean() }
    if hsts.preload, let preload = mapping["preload"],
      !hsts.includeSubdomains || hsts.maxAge < preloadAgeMin
    {
      preload.report(
        "browsers' lists do not take this host",
        hint: "preload needs includeSubdomains: true and a maxAge of at least 365d")
    }
    return hsts
  }

  /// RFC 6797 §6.1.1 counts in seconds.
  private static func readMaxAge(_ value: Value) -> Duration? {
    if value.isWord("true") {
      value.report("how long it holds is missing", hint: "write it instead of true, such as 365d")
      return nil
    }
    guard let age = value.duration(allowsZero: true, longest: maxAgeMax) else { return nil }
    guard age.components.attoseconds == 0 else {
      value.report("\(quoted(value.plainText ?? "")) is not in whole seconds", hint: "such as 365d")
      return nil
    }
    return age
  }
}
