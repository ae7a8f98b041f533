import DataPlane
import HTTPCodec
import Resources
import Runtime
import TLS

extension BasicAuth: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { BasicAuthPlugin(self, site) }
}

final class BasicAuthPlugin: Plugin {
  /// Who a name belongs to.
  private struct Account {
    var hash: PasswordHash
    /// Nil for users of a table.
    var found: FoundCredential?
  }

  /// Requests that wait for one and the same check.
  private final class Check {
    var waiting: [CheckedContinuation<PasswordDesk.Outcome, Never>] = []
  }

  private static let authorization = Array("authorization".utf8)
  private static let identifier = Array("x-credential-identifier".utf8)

  private let settings: BasicAuth
  private let consumers: ConsumerTable
  private var file: FileView<PasswordTable>?
  private var known = KnownLogins()
  private var checks: [[UInt8]: Check] = [:]
  private let desk = PasswordDesk.shared

  private let missing: PluginAnswer
  private let wrong: PluginAnswer
  private let busy = PluginAnswer(
    503, "Too many passwords wait to be checked.", lines: Array("Retry-After: 1\r\n".utf8))

  init(_ settings: BasicAuth, _ site: PluginSite) {
    self.settings = settings
    consumers = site.consumers
    file = settings.file.map { FileView($0) }
    missing = PluginAnswer(401, "The request has no name and password.", lines: settings.challenge)
    wrong = PluginAnswer(401, "The name or the password is wrong.", lines: settings.challenge)
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if let failure = file?.refresh() { exchange.note(failure) }
    // Another plugin knows who calls, and this one need not.
    if let anonymous = settings.anonymous, let consumer = exchange.consumer, consumer.name != anonymous {
      return .next
    }
    guard let login = login(of: exchange) else {
      return try Anonymous.pass(exchange, settings.anonymous, consumers)
        ?? settings.paths.verdict(exchange, missing)
    }
    let account = account(of: login.username)
    guard !login.username.isEmpty, let hash = hash(for: account) else { return refuse(exchange, wrong) }
    let key = KnownLogins.key(login, hash)
    if known.isWrong(key) { return refuse(exchange, wrong) }
    if let account, known.isRight(key) { return accept(login, account, exchange) }
    guard hash.isFast else { return .wait }
    return conclude(hash.matches(login.password) ? .right : .wrong, login, key, hash, exchange)
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    guard let login = login(of: exchange), let hash = hash(for: account(of: login.username)) else {
      return refuse(exchange, wrong)
    }
    let key = KnownLogins.key(login, hash)
    let outcome: PasswordDesk.Outcome
    if let check = checks[key] {
      // A browser asks for many things at once.
      outcome = await withCheckedContinuation { check.waiting.append($0) }
    } else {
      let check = Check()
      checks[key] = check
      outcome = await desk.check(login.password, hash, for: exchange.clientAddress)
      checks[key] = nil
      for waiting in check.waiting { waiting.resume(returning: outcome) }
    }
    return conclude(outcome, login, key, hash, exchange)
  }

  private func conclude(
    _ outcome: PasswordDesk.Outcome, _ login: BasicLogin, _ key: [UInt8], _ hash: PasswordHash,
    _ exchange: Exchange
  ) -> PluginVerdict {
    switch outcome {
    case .busy: return refuse(exchange, busy)
    case .wrong:
      if !hash.isFast { known.noteWrong(key) }
      return refuse(exchange, wrong)
    case .right:
      // It may have changed, or gone, while it was checked.
      guard let account = account(of: login.username), account.hash == hash else {
        return refuse(exchange, wrong)
      }
      if !hash.isFast { known.noteRight(key) }
      return accept(login, account, exchange)
    }
  }

  /// On paths that need no login the request goes on, as nobody's.
  private func refuse(_ exchange: Exchange, _ answer: PluginAnswer) -> PluginVerdict {
    if settings.hidesCredentials { exchange.dropRequestField(Self.authorization) }
    return settings.paths.verdict(exchange, answer)
  }

  private func accept(_ login: BasicLogin, _ account: Account, _ exchange: Exchange) -> PluginVerdict {
    if settings.hidesCredentials { exchange.dropRequestField(Self.authorization) }
    guard let found = account.found else {
      exchange.dropRequestField(Self.identifier)
      exchange.addRequestLines(Array("X-Credential-Identifier: ".utf8) + login.username + [13, 10])
      return .next
    }
    exchange.identify(found, credentialName: login.username)
    return .next
  }

  // MARK: Looking up

  /// Nil where the request has none of this scheme. There is one field at most: requests with several are
  /// malformed.
  private func login(of exchange: Exchange) -> BasicLogin? {
    var login: BasicLogin?
    exchange.withEachField(Self.authorization) { login = BasicLogin.read($0) }
    return login
  }

  private func account(of username: [UInt8]) -> Account? {
    if username.isEmpty { return nil }
    if settings.users == nil, file == nil {
      guard let found = consumers.find(username, of: BasicAuth.name),
        let hash = found.credential.content as? PasswordHash
      else { return nil }
      return Account(hash: hash, found: found)
    }
    return (settings.users?.hash(of: username) ?? file?.content.hash(of: username)).map { Account(hash: $0) }
  }

  /// What the password is measured by: for names that nobody has, something that takes as long.
  private func hash(for account: Account?) -> PasswordHash? {
    if let account { return account.hash }
    if settings.users == nil, file == nil { return .ofNobody }
    return settings.users?.example ?? file?.content.example
  }
}

/// Names and passwords that were checked, so that they need not be checked again; what a client that keeps asking
/// with a wrong password costs is bounded by it as well. Bounded; of one worker.
///
/// What is remembered is a digest, with the hash in it that was checked against: when that is another, or the user
/// is gone, it means nothing.
private struct KnownLogins {
  private static let seed = RandomBytes.make(count: 16)
  private var right: Set<[UInt8]> = []
  private var wrong: Set<[UInt8]> = []
  /// Some 100 bytes each; above that, all are forgotten.
  private static let rightMax = 20_000
  private static let wrongMax = 2_000

  static func key(_ login: BasicLogin, _ hash: PasswordHash) -> [UInt8] {
    var text = seed
    text.reserveCapacity(text.count + hash.text.utf8.count + login.username.count + login.password.count + 2)
    text += hash.text.utf8
    text.append(0)
    text += login.username
    // No name has one.
    text.append(UInt8(ascii: ":"))
    text += login.password
    return SHA256.digest(of: text)
  }

  func isRight(_ key: [UInt8]) -> Bool { right.contains(key) }
  func isWrong(_ key: [UInt8]) -> Bool { wrong.contains(key) }

  mutating func noteRight(_ key: [UInt8]) {
    if right.count >= Self.rightMax { right = [] }
    right.insert(key)
  }

  mutating func noteWrong(_ key: [UInt8]) {
    if wrong.count >= Self.wrongMax { wrong = [] }
    wrong.insert(key)
  }
}
