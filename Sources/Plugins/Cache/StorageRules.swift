/// How long a stored response may be used, and how. Seconds.
struct StorageTerms: Equatable, Sendable {
  /// How long it is fresh, counted from when the origin made it (RFC 9111 §4.2.1).
  var lifetime: Int64 = 0
  /// How old it was when it came (§4.2.3).
  var initialAge: Int64 = 0
  /// It is never used without asking the origin: `no-cache`.
  var alwaysValidates = false
  /// It is not used when stale, even where the client would take it or the endpoint fails.
  var mustRevalidate = false
  /// How long it may be used when stale, while somebody fetches it anew, and when that fails (RFC 5861).
  var staleWhileRevalidate: Int64 = 0
  var staleIfError: Int64 = 0

  /// Whether it may be used without being validated, be it stale.
  /// - age: Seconds since it came.
  func isOfUse(age: Int64) -> Bool {
    initialAge + age - lifetime < max(staleIfError, staleWhileRevalidate, 0)
  }

  /// How long it is fresh after it came.
  var freshSeconds: Int64 { max(0, lifetime - initialAge) }
}

/// Which responses are stored, and for how long: RFC 9111 as a shared cache, and what the configuration says where
/// the response says nothing.
struct StorageRules: Sendable, Equatable {
  /// For responses of ``statuses`` that do not say how long they are fresh; nil: these are not stored. Seconds.
  var lifetime: Int64?
  var statuses: [UInt16] = [200, 301, 404]
  /// What responses say of their freshness counts.
  var obeysFreshness = true
  /// Those that set cookies as well.
  var storesCookies = false
  /// In lower case; empty: all.
  var contentTypes: [[UInt8]] = []
  /// Where the response does not say. Seconds.
  var staleWhileRevalidate: Int64 = 0
  var staleIfError: Int64 = 0

  enum Refusal: String, Error, Equatable {
    case method, status
    case noStore = "no-store"
    case isPrivate = "private"
    case authorization, cookies, vary, type
    /// Nothing says for how long.
    case freshness
    /// It is stale when it comes, and cannot be validated.
    case stale
  }

  /// A request, as far as it says whether its response may be stored.
  struct Request {
    var isGet = true
    var hasAuthorization = false
    var noStore = false
  }

  /// Statuses that a cache understands, and that may be stored when the response says for how long.
  private static let understood: Set<UInt16> = [
    200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 451, 500, 501, 502, 503, 504,
  ]

  /// - now: Seconds since 1970, when the response came.
  /// - delay: Seconds that it took to come.
  func terms(
    for response: ResponseFacts, to request: Request, at now: Int64, delay: Int64
  ) throws(Refusal) -> StorageTerms {
    try check(response, request)
    let directives = response.directives
    var terms = StorageTerms()
    terms.initialAge = Self.initialAge(response, now, delay)
    terms.alwaysValidates = directives.noCache
    guard let lifetime = lifetime(of: response, now) else { throw .freshness }
    terms.lifetime = lifetime
    terms.mustRevalidate = directives.mustRevalidate || directives.proxyRevalidate || directives.noCache
    if !terms.mustRevalidate {
      // `s-maxage` means `proxy-revalidate` (§5.2.2.10), but where the origin itself says otherwise.
      let isShared = directives.sharedMaxAge != nil
      terms.staleWhileRevalidate = directives.staleWhileRevalidate ?? (isShared ? 0 : staleWhileRevalidate)
      terms.staleIfError = directives.staleIfError ?? (isShared ? 0 : staleIfError)
      terms.mustRevalidate = isShared && terms.staleWhileRevalidate == 0 && terms.staleIfError == 0
    }
    let canBeValidated = !response.entityTag.isEmpty || response.lastModified != nil
    let isOfUse = terms.freshSeconds > 0 || terms.staleWhileRevalidate > 0 || terms.staleIfError > 0
    if terms.alwaysValidates || !isOfUse {
      guard canBeValidated else { throw .stale }
    }
    return terms
  }

  private func check(_ response: ResponseFacts, _ request: Request) throws(Refusal) {
    guard request.isGet else { throw .method }
    guard Self.understood.contains(response.status) else { throw .status }
    let directives = response.directives
    // `must-understand` takes `no-store` back for those who do (§5.2.2.3).
    if request.noStore || directives.noStore && !directives.mustUnderstand { throw .noStore }
    if directives.isPrivate { throw .isPrivate }
    // §3.5
    if request.hasAuthorization, !directives.isPublic, !directives.mustRevalidate,
      directives.sharedMaxAge == nil
    {
      throw .authorization
    }
    if response.hasSetCookie, !storesCookies { throw .cookies }
    if response.variesByAnything { throw .vary }
    if !contentTypes.isEmpty, !contentTypes.contains(response.contentType) { throw .type }
  }

  /// Nil where nothing says it: what nobody has said is not guessed (§4.2.2 allows it).
  private func lifetime(of response: ResponseFacts, _ now: Int64) -> Int64? {
    let directives = response.directives
    if obeysFreshness {
      if let seconds = directives.sharedMaxAge ?? directives.maxAge { return seconds }
      switch response.expires {
      case .at(let time): return max(0, time - (response.date ?? now))
      case .past: return 0
      case .none: break
      }
    }
    if directives.noCache { return 0 }
    return statuses.contains(response.status) ? lifetime : nil
  }

  /// §4.2.3
  private static func initialAge(_ response: ResponseFacts, _ now: Int64, _ delay: Int64) -> Int64 {
    let apparent = max(0, now - (response.date ?? now))
    let (corrected, overflow) = response.age.addingReportingOverflow(max(0, delay))
    return min(max(apparent, overflow ? DeltaSeconds.max : corrected), DeltaSeconds.max)
  }
}

/// What a request may do with a stored response (RFC 9111 §4).
enum Reuse: Equatable {
  case fresh
  /// It is stale, and the client takes it.
  case stale
  /// It is stale, and may be used while somebody fetches it anew.
  case staleWhileRevalidate
  /// The origin is asked first.
  case validate

  /// - sinceStored: Seconds since it came.
  init(_ terms: StorageTerms, sinceStored: Int64, _ request: RequestDirectives) {
    let age = terms.initialAge + sinceStored
    let left = terms.lifetime - age
    if terms.alwaysValidates || request.noCache {
      self = .validate
    } else if let maxAge = request.maxAge, age > maxAge {
      self = .validate
    } else if left > 0, left >= request.minFresh ?? 0 {
      self = .fresh
    } else if request.minFresh != nil {
      self = .validate
    } else if left <= 0, let maxStale = request.maxStale, -left <= maxStale, !terms.mustRevalidate {
      self = .stale
    } else if left <= 0, -left < terms.staleWhileRevalidate, request.maxAge == nil {
      self = .staleWhileRevalidate
    } else {
      self = .validate
    }
  }
}
