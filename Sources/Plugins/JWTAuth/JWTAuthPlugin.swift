import DataPlane
import HTTPCodec
import Resources
import Runtime
import TLS

extension JWTAuth: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { JWTAuthPlugin(self, site) }
}

final class JWTAuthPlugin: Plugin {
  /// What a worker has of an issuer.
  private struct Issuer {
    enum Keys {
      case fixed
      case file(FileView<KeySet>)
      case url(URLView<KeySet>)
    }

    let settings: JWTIssuer
    var keys: Keys
    /// Nil as long as none were fetched.
    var set: KeySet?
    /// Another where the keys may be others.
    var revision: Int {
      switch keys {
      case .fixed: 0
      case .file(let view): view.changeCount
      case .url(let view): view.changeCount
      }
    }

    init(_ settings: JWTIssuer) {
      self.settings = settings
      switch settings.source {
      case .fixed(let set):
        keys = .fixed
        self.set = set
      case .file(let file):
        let view = FileView(file)
        set = view.content
        keys = .file(view)
      case .url(let url): keys = .url(URLView(url))
      }
    }

    /// Takes over what has changed.
    mutating func refresh() -> PluginFailure? {
      switch keys {
      case .fixed: return nil
      case .file(var view):
        let failure = view.refresh()
        set = view.content
        keys = .file(view)
        return failure
      case .url(var view):
        let failure = view.refresh()
        set = view.content
        keys = .url(view)
        return failure
      }
    }
  }

  /// What a token comes to.
  private enum Outcome {
    /// With the lines that tell endpoints of it.
    case accepted(FoundCredential?, [UInt8])
    case refused(PluginAnswer)
    /// Its key is not among those of an issuer, by index.
    case unknownKey(Int)
    case noKeys(Int)
  }

  private struct Answers {
    let missing, malformed, algorithm, signature, unknownKey, expired, notYet, tooLong, missingClaim,
      audience,
      consumer: PluginAnswer
    let noKeys = PluginAnswer(
      503, "The keys of the token's issuer are not known.", lines: Array("Retry-After: 5\r\n".utf8))

    init(realm: String?) {
      func invalid(_ text: String) -> PluginAnswer {
        PluginAnswer(
          401, text,
          lines: AuthenticationOptions.challenge(
            "Bearer", realm: realm, parameters: "error=\"invalid_token\", error_description=\"\(text)\""))
      }
      missing = PluginAnswer(
        401, "The request has no token.", lines: AuthenticationOptions.challenge("Bearer", realm: realm))
      malformed = invalid("The token is malformed.")
      algorithm = invalid("The token is signed in a way that is not accepted.")
      signature = invalid("The token's signature is not valid.")
      unknownKey = invalid("The token's key is not known.")
      expired = invalid("The token has expired.")
      notYet = invalid("The token is not valid yet.")
      tooLong = invalid("The token is valid for too long.")
      missingClaim = invalid("The token lacks a claim.")
      audience = invalid("The token is meant for others.")
      consumer = invalid("The token's owner is not known.")
    }
  }

  private static let authorization = Array("authorization".utf8)
  private static let iss = Array("iss".utf8)

  private let settings: JWTAuth
  private let worker: Worker
  private let consumers: ConsumerTable
  private let answers: Answers
  private var issuers: [Issuer]
  private let token = JWTToken()
  private var verifiers = TokenVerifiers()
  private var known = KnownTokens()

  init(_ settings: JWTAuth, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    consumers = site.consumers
    answers = Answers(realm: settings.realm)
    issuers = settings.issuers.map { Issuer($0) }
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    for field in settings.claimFields { exchange.dropRequestField(field.lowercaseField) }
    // Another plugin knows who calls, and this one need not.
    if let anonymous = settings.anonymous, let consumer = exchange.consumer, consumer.name != anonymous {
      return .next
    }
    refreshKeys(exchange)
    guard let outcome = look(exchange) else { return try missing(exchange) }
    switch outcome {
    case .unknownKey(let index), .noKeys(let index):
      guard case .url(let view) = issuers[index].keys, case let now = worker.now,
        view.content == nil || view.url.mayAsk(at: now)
      else { return conclude(outcome, exchange) }
      return .wait
    default: return conclude(outcome, exchange)
    }
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    guard let first = look(exchange) else { return try missing(exchange) }
    switch first {
    case .unknownKey(let index), .noKeys(let index):
      if case .url(let view) = issuers[index].keys {
        await view.url.waitForNext(after: max(view.changeCount, 0), exchange)
      }
    default: break
    }
    refreshKeys(exchange)
    guard let outcome = look(exchange) else { return try missing(exchange) }
    return conclude(outcome, exchange)
  }

  private func refreshKeys(_ exchange: Exchange) {
    for index in issuers.indices {
      if let failure = issuers[index].refresh() { exchange.note(failure) }
    }
  }

  private func missing(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    try Anonymous.pass(exchange, settings.anonymous, consumers)
      ?? settings.paths.verdict(exchange, answers.missing)
  }

  private func conclude(_ outcome: Outcome, _ exchange: Exchange) -> PluginVerdict {
    if settings.hidesCredentials { hide(exchange) }
    switch outcome {
    case .refused(let answer): return settings.paths.verdict(exchange, answer)
    case .unknownKey: return settings.paths.verdict(exchange, answers.unknownKey)
    case .noKeys: return settings.paths.verdict(exchange, answers.noKeys)
    case .accepted(let found, let lines):
      if let found { exchange.identify(found) }
      if !lines.isEmpty { exchange.addRequestLines(lines) }
      return .next
    }
  }

  // MARK: Where the token is

  /// The first place that has something decides; nil where none has.
  private func look(_ exchange: Exchange) -> Outcome? {
    let input = exchange.input
    for name in settings.headerNames {
      guard let value = exchange.firstField(name),
        let range = BearerToken.find(
          input.bytes.extracting(value.range), isOptional: name != Self.authorization)
      else { continue }
      let start = Int(value.start) + range.lowerBound
      return verify(input.bytes.extracting(start..<start + range.count))
    }
    for name in settings.queryNames {
      if let value = exchange.queryParameter(name), !value.isEmpty { return verify(value.span) }
    }
    for name in settings.cookieNames {
      if let value = exchange.cookie(name), !value.isEmpty { return verify(value.span) }
    }
    return nil
  }

  /// Other schemes in Authorization are others' business, and stay.
  private func hide(_ exchange: Exchange) {
    let input = exchange.input
    for name in settings.headerNames {
      guard let value = exchange.firstField(name) else { continue }
      let isToken =
        BearerToken.find(input.bytes.extracting(value.range), isOptional: name != Self.authorization) != nil
      if isToken { exchange.dropRequestField(name) }
    }
    for name in settings.queryNames { exchange.dropQueryParameter(name) }
    for name in settings.cookieNames { exchange.dropCookie(name) }
  }

  // MARK: What it says

  private func verify(_ text: Span<UInt8>) -> Outcome {
    let now = Double(worker.seam.wallClockNanoseconds()) / 1e9
    let hash = KnownTokens.hash(of: text)
    if let one = known.find(text, hash, now: now, consumers, keysRevision: { issuers[$0].revision }) {
      return .accepted(one.found, one.lines)
    }
    do throws(JWTToken.Failure) {
      try token.read(text)
    } catch {
      return .refused(error == .algorithm ? answers.algorithm : answers.malformed)
    }
    let issuer = issuerOfToken()
    switch issuer.map({ verify(by: $0, now) }) ?? verifyByConsumer(now) {
    case .refused(let answer): return .refused(answer)
    case .unknownKey: return .unknownKey(issuer ?? 0)
    case .noKeys: return .noKeys(issuer ?? 0)
    case .accepted(let found, let holds):
      let lines = lines()
      known.remember(
        token.text, hash, holds, issuer: issuer ?? -1,
        keysRevision: issuer.map { issuers[$0].revision } ?? 0, found, lines)
      return .accepted(found, lines)
    }
  }

  private func issuerOfToken() -> Int? {
    guard !issuers.isEmpty, let name = token.claim(Self.iss) else { return nil }
    let claims = token.claimsText
    return issuers.indices.first { name.equals(issuers[$0].settings.name, in: claims.span) }
  }

  private enum Verification {
    /// Within these times.
    case accepted(FoundCredential?, ClosedRange<Double>)
    case refused(PluginAnswer)
    case unknownKey, noKeys
  }

  private func verifyByConsumer(_ now: Double) -> Verification {
    guard let key = token.text(of: settings.keyClaim) ?? token.headerText(of: settings.keyClaim),
      let found = consumers.find(key, of: JWTAuth.name),
      let credential = found.credential.content as? JWTCredential
    else { return .refused(answers.unknownKey) }
    // The credential says how, and not the token: a public key must not pass as a secret.
    guard credential.algorithm == token.algorithm else { return .refused(answers.algorithm) }
    let isValid =
      switch credential.key {
      case .secret(let secret): verifiers.verify(token, secret: secret)
      case .publicKey(let key): verifiers.verify(token, key)
      }
    return isValid ? checkClaims(of: found, [], now) : .refused(answers.signature)
  }

  private func verify(by index: Int, _ now: Double) -> Verification {
    let issuer = issuers[index].settings
    guard !token.algorithm.isHMAC, issuer.algorithms?.contains(token.algorithm) ?? true else {
      return .refused(answers.algorithm)
    }
    guard let set = issuers[index].set else { return .noKeys }
    let candidates = set.candidates(token.keyIdentifier, token.algorithm)
    if candidates.isEmpty { return .unknownKey }
    guard candidates.contains(where: { verifiers.verify(token, $0.key) }) else {
      return .refused(answers.signature)
    }
    guard let claim = issuer.consumerClaim else { return checkClaims(of: nil, issuer.audiences, now) }
    guard let name = token.text(of: claim),
      let found = consumers.consumer(named: String(decoding: name, as: UTF8.self))
    else { return .refused(answers.consumer) }
    return checkClaims(of: found, issuer.audiences, now)
  }

  private func checkClaims(
    of found: FoundCredential?, _ audiences: [[UInt8]], _ now: Double
  ) -> Verification {
    do throws(ClaimRules.Failure) {
      let holds = try settings.rules.check(token, now: now)
      try ClaimRules.checkAudience(token, audiences)
      return .accepted(found, holds)
    } catch {
      switch error {
      case .expired: return .refused(answers.expired)
      case .notYet: return .refused(answers.notYet)
      case .missing: return .refused(answers.missingClaim)
      case .tooLong: return .refused(answers.tooLong)
      case .audience: return .refused(answers.audience)
      case .malformed: return .refused(answers.malformed)
      }
    }
  }

  /// What endpoints are told of the token.
  private func lines() -> [UInt8] {
    var lines: [UInt8] = []
    for field in settings.claimFields {
      guard let value = token.fieldValue(of: field.claim), !value.isEmpty else { continue }
      FieldLines.append(field.field, value, to: &lines)
    }
    return lines
  }
}

/// Tokens in fields (RFC 6750 §2.1).
enum BearerToken {
  private static let scheme = Array("bearer".utf8)

  /// Where the token is in a field's value; nil where it has another scheme.
  ///
  /// - isOptional: The value may be anything without the scheme; else it has to look like a token then.
  static func find(_ value: Span<UInt8>, isOptional: Bool) -> Range<Int>? {
    let space = value.firstIndex(of: 0x20, from: 0) ?? value.count
    if value.equalsIgnoringCase(ByteRange(start: 0, count: space), lowercase: scheme) {
      var start = space
      while start < value.count, value[start] == 0x20 { start += 1 }
      return start < value.count ? start..<value.count : nil
    }
    guard space == value.count, !value.isEmpty else { return nil }
    if isOptional { return 0..<value.count }
    var dots = 0
    for index in value.indices where value[index] == UInt8(ascii: ".") { dots += 1 }
    return dots == 2 ? 0..<value.count : nil
  }
}
