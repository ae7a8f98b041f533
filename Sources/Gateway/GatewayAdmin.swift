import Admin
import ControlPlane
import DataPlane
import Logging
import Resources

/// The admin server of a gateway, at whatever address the configuration says now.
actor AdminHost {
  private let logger: Logger
  private let backend: any AdminBackend
  private var server: AdminServer?
  private var address: HostPort?
  private var revision: UInt64 = 0

  init(backend: any AdminBackend, logger: Logger) {
    self.backend = backend
    self.logger = logger
  }

  /// Starts, moves or ends the server. One that cannot start leaves the one before in place.
  ///
  /// - Parameter revision: of the configuration that says so; one that is older than the last is
  ///   passed over, since tasks may overtake each other.
  func update(_ admin: Admin?, revision: UInt64) async throws(AdminServerError) {
    guard revision > self.revision else { return }
    self.revision = revision
    guard admin?.address != address else { return }
    var replacement: AdminServer?
    if let admin {
      let server = AdminServer(address: admin.address, backend: backend, logger: logger)
      try await server.start()
      replacement = server
      logger.info("admin", metadata: ["address": "\(admin.address.description)"])
    }
    await server?.stop()
    server = replacement
    address = admin?.address
  }

  func stop() async {
    await server?.stop()
    server = nil
    address = nil
  }
}

extension Gateway: AdminBackend {
  public func counters() async -> [CountersSnapshot] {
    await state.withLock { $0.pool }?.call { $0.snapshotCounters() } ?? []
  }

  public func readiness() async -> ReadinessReport {
    let (pool, isDraining) = state.withLock { ($0.pool, $0.isDraining) }
    let listeners = controlPlane?.snapshot?.configuration.listeners ?? []
    let states = await pool?.call { $0.listenerStates() } ?? []
    let reports = listeners.map { listener in
      let own = states.compactMap { $0[listener.name] }
      return ReadinessReport.Listener(
        name: listener.name, address: listener.address.description, openWorkers: own.filter(\.isOpen).count,
        problem: own.compactMap(\.problem).first)
    }
    return ReadinessReport(
      workers: states.count, workersExpected: pool?.count ?? 1, isDraining: isDraining, listeners: reports)
  }

  public func runningConfiguration() async -> Configuration {
    controlPlane?.snapshot?.configuration ?? Configuration()
  }

  public func status() async -> GatewayStatus {
    let control = controlPlane?.status ?? ControlPlaneStatus()
    var status = GatewayStatus(
      version: Version.current, revision: control.revision, lastReloadSucceeded: control.lastReloadSucceeded,
      lastReloadSeconds: Double(control.lastReloadSeconds), reloadsSucceeded: control.reloadsSucceeded + 1,
      reloadsFailed: control.reloadsFailed, accessLog: accessLogs.figures ?? .init())
    status.certificates = controlPlane?.certificates.map(CertificateFigures.init) ?? []
    status.certificateFiles.renewed = control.filesRenewed
    status.certificateFiles.refused = control.filesRefused
    status.certificateFiles.stale = control.filesStale
    return status
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
