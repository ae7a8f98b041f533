import DataPlane
import HTTPCodec
import Resources
import Runtime
import TLS

extension HMACAuth: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { HMACAuthPlugin(self, site) }
}

final class HMACAuthPlugin: Plugin {
  private static let authorization = Array("authorization".utf8)
  private static let proxyAuthorization = Array("proxy-authorization".utf8)
  private static let digest = Array("digest".utf8)
  /// What is hashed at a time, before others run: a millisecond's worth.
  private static let hashedBytesMax = 1 << 20

  private let settings: HMACAuth
  private let worker: Worker
  private let consumers: ConsumerTable
  /// By ``DigestAlgorithm``, made when the first request needs one.
  private var codes = [HMAC?](repeating: nil, count: 4)
  private var text = SigningText()

  private let missing: PluginAnswer
  private let wrong: PluginAnswer
  private let late: PluginAnswer
  private let wrongBody: PluginAnswer
  private let tooLarge = PluginAnswer(413, "The request's content is too large.")

  init(_ settings: HMACAuth, _ site: PluginSite) {
    self.settings = settings
    worker = site.worker
    consumers = site.consumers
    let challenge = settings.challenge
    missing = PluginAnswer(401, "The request has no signature.", lines: challenge)
    wrong = PluginAnswer(401, "The signature is not valid.", lines: challenge)
    late = PluginAnswer(
      401, "The request has no signed date, or one that is too far from now.", lines: challenge)
    wrongBody = PluginAnswer(401, "The content is not what the signed digest says.", lines: challenge)
    super.init(.requestHead)
  }

  private enum Check {
    case missing
    case refused(PluginAnswer)
    case signed(FoundCredential, [UInt8], isProxyField: Bool)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    // Another plugin knows who calls, and this one need not.
    if let anonymous = settings.anonymous, let consumer = exchange.consumer, consumer.name != anonymous {
      return .next
    }
    let check = check(exchange)
    if settings.validatesBody, case .signed = check {
      guard let content = exchange.takeContentAtHand(), content.count <= Self.hashedBytesMax else {
        return .wait
      }
      let input = exchange.input
      let digest = SHA256.digest(of: input.bytes.extracting(content))
      if !isRight(digest, isEmpty: content.isEmpty, exchange) {
        return settings.paths.verdict(exchange, wrongBody)
      }
    }
    return try conclude(check, exchange)
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    switch await exchange.gatherContent(atMost: settings.bodyBytesMax) {
    case .tooLarge: return .answer(tooLarge)
    case .refused: return .answer(wrong)
    case .whole(let content):
      guard let digest = await digest(of: content, exchange) else {
        throw PluginFailure("OpenSSL does not offer SHA-256")
      }
      // The consumer may have changed, or gone, meanwhile; and the text is of another request.
      let check = check(exchange)
      if case .signed = check, !isRight(digest, isEmpty: content.isEmpty, exchange) {
        return settings.paths.verdict(exchange, wrongBody)
      }
      return try conclude(check, exchange)
    }
  }

  private func conclude(_ check: Check, _ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    switch check {
    case .missing:
      return try Anonymous.pass(exchange, settings.anonymous, consumers)
        ?? settings.paths.verdict(exchange, missing)
    case .refused(let answer): return settings.paths.verdict(exchange, answer)
    case .signed(let found, let username, let isProxyField):
      if settings.hidesCredentials {
        exchange.dropRequestField(isProxyField ? Self.proxyAuthorization : Self.authorization)
      }
      exchange.identify(found, credentialName: username)
      return .next
    }
  }

  // MARK: The signature

  private func check(_ exchange: Exchange) -> Check {
    let input = exchange.input
    let bytes = input.bytes
    // As with Kong, that for the proxy goes first.
    for name in [Self.proxyAuthorization, Self.authorization] {
      guard let value = exchange.firstField(name) else { continue }
      switch SignatureParameters.read(value, in: bytes) {
      case .other: continue
      case .malformed: return .refused(wrong)
      case .parameters(let parameters):
        return check(parameters, exchange, bytes, isProxyField: name == Self.proxyAuthorization)
      }
    }
    return .missing
  }

  private func check(
    _ parameters: SignatureParameters, _ exchange: Exchange, _ bytes: Span<UInt8>, isProxyField: Bool
  ) -> Check {
    let username = exchange.copy(parameters.username)
    guard let digest = parameters.digest(bytes), settings.algorithms[digest.rawValue],
      let found = consumers.find(username, of: HMACAuth.name),
      let secret = found.credential.content as? HMACSecret,
      let signature = Base64Text.decode(exchange.copy(parameters.signature)),
      let code = code(of: digest),
      text.make(parameters, exchange, settings, now: worker.seam.wallClockNanoseconds() / 1_000_000_000)
    else { return .refused(wrong) }
    let signed = text.bytes
    guard code.verify(signature, of: signed.span, key: secret.bytes) else { return .refused(wrong) }
    return text.isTimely ? .signed(found, username, isProxyField: isProxyField) : .refused(late)
  }

  private func code(of digest: DigestAlgorithm) -> HMAC? {
    if let code = codes[digest.rawValue] { return code }
    codes[digest.rawValue] = HMAC(digest)
    return codes[digest.rawValue]
  }

  // MARK: The content

  private func digest(of content: Range<Int>, _ exchange: Exchange) async -> [UInt8]? {
    guard let digest = RunningDigest(.sha256) else { return nil }
    var position = content.lowerBound
    while position < content.upperBound {
      let end = min(position + Self.hashedBytesMax, content.upperBound)
      add(position..<end, of: exchange, to: digest)
      position = end
      if position < content.upperBound { await Task.yield() }
    }
    return digest.end()
  }

  /// A call of its own: a span does not live over a wait.
  private func add(_ range: Range<Int>, of exchange: Exchange, to digest: RunningDigest) {
    let input = exchange.input
    digest.add(input.bytes.extracting(range))
  }

  /// Whether the signed field says this of the content. Without content there need be none.
  private func isRight(_ digest: [UInt8], isEmpty: Bool, _ exchange: Exchange) -> Bool {
    var isThere = false
    var isRight = true
    exchange.withEachField(Self.digest) { value in
      isThere = true
      if !ContentDigest.matches(value, digest) { isRight = false }
    }
    if !isThere { return isEmpty }
    return isRight && text.hasDigest
  }
}

/// The field Digest (RFC 3230 §4.3.2).
enum ContentDigest {
  /// Whether SHA-256 is among its digests, once, and is this.
  static func matches(_ value: Span<UInt8>, _ digest: [UInt8]) -> Bool {
    var cursor = ListCursor(ByteRange(start: 0, count: value.count))
    var isFound = false
    while let member = cursor.next(in: value) {
      let name = ByteRange(start: Int(member.start), count: min(8, member.range.count))
      guard value.equalsIgnoringCase(name, lowercase: "sha-256=") else { continue }
      var text: [UInt8] = []
      for index in name.end..<member.end { text.append(value[index]) }
      guard !isFound, let named = Base64Text.decode(text), ConstantTime.areEqual(named, digest) else {
        return false
      }
      isFound = true
    }
    return isFound
  }
}
