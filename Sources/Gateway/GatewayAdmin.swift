import Admin
import ControlPlane
import DataPlane
import Logging
import Resources
import Runtime
import Synchronization

/// The admin server of a gateway, at whatever address the configuration says now.
actor AdminHost {
  private let logger: Logger
  private let backend: any AdminBackend & ResourceBackend
  private var server: AdminServer?
  private var current: Admin?
  private var number: UInt64 = 0
  private var isReleased = false

  init(backend: any AdminBackend & ResourceBackend, logger: Logger) {
    self.backend = backend
    self.logger = logger
  }

  /// Starts, moves or ends the server. One that cannot start leaves the one before in place.
  ///
  /// - Parameter number: of the settings that say so; those that are older than the last are
  ///   passed over, since tasks may overtake each other.
  func update(_ admin: Admin?, number: UInt64) async throws(AdminServerError) {
    guard number > self.number else { return }
    self.number = number
    guard admin != current else { return }
    // The address cannot be had twice.
    if admin?.address == current?.address { await stop() }
    var replacement: AdminServer?
    if let admin { replacement = try await start(admin) }
    await server?.stop()
    server = replacement
    current = admin
  }

  private func start(_ admin: Admin) async throws(AdminServerError) -> AdminServer {
    let watch = TokenWatch(admin.token, logger)
    let server = AdminServer(
      address: admin.address, backend: backend, resources: backend, access: { watch.access() },
      logger: logger)
    try await server.start()
    logger.info("admin", metadata: ["address": "\(admin.address.description)"])
    return server
  }

  /// Whether there is an address.
  var isOpen: Bool { server != nil }

  /// Closes the address for the process that comes after this one; who is connected still gets answers.
  func releaseAddress() async {
    isReleased = true
    await server?.stopListening()
  }

  /// Opens it again, where it was released.
  func retakeAddress() async {
    guard isReleased else { return }
    isReleased = false
    await server?.stop()
    server = nil
    guard let current else { return }
    do throws(AdminServerError) {
      server = try await start(current)
    } catch {
      logger.error("\(error)")
    }
  }

  /// How long whoever asked for an upgrade may take to read that it went well.
  private static let lastAnswersLimit = Duration.seconds(2)

  func stop() async {
    await server?.stop(leaving: isReleased ? Self.lastAnswersLimit : .zero)
    server = nil
    current = nil
  }
}

/// Looks at the token at each request, and has a line logged when it is lost and when it is back.
private final class TokenWatch: Sendable {
  private let token: SecretSource?
  /// Nil where the token is in no file.
  private let file: TokenFile?
  private let logger: Logger
  private let isLost = Mutex(false)

  init(_ token: SecretSource?, _ logger: Logger) {
    self.token = token
    file = if case .file(let path)? = token { TokenFile(path) } else { nil }
    self.logger = logger
  }

  func access() -> AdminAccess {
    guard let token else { return .open }
    let access = file?.access() ?? token.access
    var reason: String?
    if case .lost(let why) = access { reason = why }
    let hasChanged = isLost.withLock { isLost in
      defer { isLost = reason != nil }
      return isLost != (reason != nil)
    }
    guard hasChanged else { return access }
    if let reason {
      logger.error("the admin API lets nobody in: its token is lost", metadata: ["reason": "\(reason)"])
    } else {
      logger.info("the token of the admin API can be read again")
    }
    return access
  }
}

extension SecretSource {
  /// Who may use the admin API, as the secret says now.
  fileprivate var access: AdminAccess {
    switch self {
    case .file(let path): return .file(path)
    case .environment(let name):
      do throws(SecretError) {
        let token = AdminToken(try read())
        return token.map { .token($0) } ?? .lost("the environment variable \(name) does not hold a token")
      } catch {
        return .lost(error.description)
      }
    }
  }
}

extension Gateway: AdminBackend {
  public func counters() async -> [CountersSnapshot] {
    let (pool, watchdog) = state.withLock { ($0.pool, $0.watchdog) }
    // Sums without it would go back, and a question would wait for it.
    if let watchdog, !watchdog.figures.stalled.isEmpty { return [] }
    return await pool?.counters() ?? []
  }

  public func readiness() async -> ReadinessReport {
    let (pool, isDraining) = state.withLock { ($0.pool, $0.isDraining) }
    let listeners = await controlPlane?.listeners ?? []
    let stalled = watchdog?.figures.stalled ?? []
    let states = await pool?.call(except: stalled.map(\.worker)) { $0.listenerStates() } ?? []
    let reports = listeners.map { listener in
      let own = states.compactMap { $0[listener.name] }
      return ReadinessReport.Listener(
        name: listener.name, address: listener.address.description, openWorkers: own.filter(\.isOpen).count,
        problem: own.compactMap(\.problem).first)
    }
    var report = ReadinessReport(
      workers: states.count, workersExpected: pool?.count ?? 1, isDraining: isDraining, listeners: reports)
    report.stalled = stalled.map {
      ReadinessReport.StalledWorker(number: $0.worker, silence: $0.silence.inTenths)
    }
    report.problems = await problems()
    return report
  }

  /// What does not work, while traffic is served.
  private func problems() async -> [String] {
    guard let control = controlPlane else { return [] }
    let status = await control.status
    var problems = [status.reloadProblem, status.storeProblem, status.unservedProblem].compactMap { $0 }
    if case .lost(let reason)? = await control.settings.admin?.token?.access {
      problems.append("the token of the admin API: \(reason)")
    }
    if let problem = accessLogs.figures?.problem { problems.append(problem) }
    return problems
  }

  public func runningConfiguration() async -> Configuration {
    await controlPlane?.configuration ?? Configuration()
  }

  public func status() async -> GatewayStatus {
    let control = await controlPlane?.status ?? ControlPlaneStatus()
    var status = GatewayStatus(
      version: Version.current, revision: control.revision, lastReloadSucceeded: control.lastReloadSucceeded,
      lastReloadSeconds: Double(control.lastReloadSeconds), reloadsSucceeded: control.reloadsSucceeded + 1,
      reloadsFailed: control.reloadsFailed, accessLog: accessLogs.figures ?? .init())
    status.certificates = await controlPlane?.certificates.map(CertificateFigures.init) ?? []
    status.certificateFiles.renewed = control.filesRenewed
    status.certificateFiles.refused = control.filesRefused
    status.certificateFiles.stale = control.filesStale
    status.resources = await resourceFigures(control)
    if let figures = watchdog?.figures {
      status.loops.stalls = figures.stalls
      status.loops.stalled = figures.stalled.count
      status.loops.pauseSecondsMax = Double(figures.pauseMax.inNanoseconds) / 1e9
    }
    return status
  }
}

extension Gateway {
  private func resourceFigures(_ control: ControlPlaneStatus) async -> ResourceFigures {
    var figures = ResourceFigures()
    figures.storeProblem = control.storeProblem != nil
    figures.unservedCount = control.unservedCount
    figures.transactionsApplied = control.transactionsApplied
    figures.transactionsRefused = control.transactionsRefused
    if let resources = await controlPlane?.resourceStatus {
      figures.hasStore = resources.store != ResourceStatus.Store.none
      figures.servedRevision = resources.servedRevision
    }
    if case .lost? = await controlPlane?.settings.admin?.token?.access { figures.isTokenLost = true }
    return figures
  }
}

extension CertificateFigures {
  fileprivate init(_ status: CertificateStatus) {
    let use: Use =
      switch status.use {
      case .listeners(let name): .certificate(name)
      case .service(let name): .service(name)
      }
    self.init(use: use, notBefore: status.notBefore, notAfter: status.notAfter)
  }
}
