import Admin
import ControlPlane
import DataPlane
import Logging
import Runtime

/// The old process's side of an upgrade: the new one gets the listening sockets, and when it serves, this
/// one drains.
extension Gateway {
  /// Starts an upgrade, and does not wait for its outcome, which goes to the log.
  ///
  /// - Throws: where none can be started now.
  func startUpgrade() throws(UpgradeError) {
    try reserveUpgrade()
    Task { try? await performUpgrade() }
  }

  /// Replaces this process by a new one of the same program, arguments and environment; returns when the
  /// new one serves. This one then drains, and ends.
  ///
  /// - Throws: why the new process does not serve; this one then goes on as before.
  public func upgrade() async throws(UpgradeFailure) {
    do throws(UpgradeError) {
      try reserveUpgrade()
      try await performUpgrade()
    } catch {
      throw error.isInProgress ? .inProgress : .failed(error.description)
    }
  }

  private func reserveUpgrade() throws(UpgradeError) {
    guard state.withLock({ $0.pool != nil && !$0.isDraining }) else {
      throw UpgradeError("the gateway starts or drains")
    }
    if ChildProcess.ownIdentifier == 1 {
      // The end of process 1 is the end of all that run beside it.
      throw UpgradeError(
        "process 1, as in a container, cannot be replaced: start another container instead")
    }
    guard upgrades.begin() else { throw .inProgress }
  }

  private func performUpgrade() async throws(UpgradeError) {
    await controlPlane?.freeze()
    do throws(UpgradeError) {
      try await handOver()
    } catch {
      logger.error("the upgrade failed, this process goes on", metadata: ["reason": "\(error)"])
      await admin?.retakeAddress()
      if let problem = await controlPlane?.resume() { logger.error("the store: \(problem)") }
      upgrades.ended(handedOver: false)
      throw error
    }
  }

  private var admin: AdminHost? { state.withLock { $0.admin } }

  private func handOver() async throws(UpgradeError) {
    let (successor, sockets) = try await startSuccessor()
    logger.info(
      "upgrade: a new process is started", metadata: ["pid": "\(successor.process.identifier)"])
    let timer = Task {
      try await Task.sleep(for: options.upgradeTimeLimit)
      successor.report(.timeLimit)
    }
    defer { timer.cancel() }
    var progress = UpgradeProgress(socketCount: sockets.count)
    for await event in successor.events {
      switch progress.handle(event) {
      case .nothing: break
      case .releaseAdmin:
        await admin?.releaseAddress()
        successor.send(.adminReleased)
      case .proceed: successor.send(.proceed)
      case .finish(let unused):
        return await finish(successor, exceptions: Set(unused.map { sockets[$0].address }))
      case .abandon(let reason):
        await successor.end()
        throw UpgradeError("process \(successor.process.identifier): \(reason)")
      }
    }
  }

  private func startSuccessor() async throws(UpgradeError) -> (Successor, [HandoverSocket]) {
    guard let pool = state.withLock({ $0.pool }) else { throw UpgradeError("the gateway starts") }
    let hasAdmin = await admin?.isOpen ?? false
    let sockets = try await pool.duplicateListeners()
    do throws(SystemError) {
      let successor = try Successor(sockets: sockets, hasAdmin: hasAdmin)
      upgrades.started(successor)
      return (successor, sockets)
    } catch {
      throw UpgradeError("the new process cannot be started: \(error)")
    }
  }

  /// The new process accepts connections: leaves the rest to it, and lets what is in flight finish.
  private func finish(_ successor: Successor, exceptions: Set<SocketAddress>) async {
    let identifier = successor.process.identifier
    let limit = await drainLimit
    watchdog?.stopTelling()
    tellServiceManager(.successor(identifier: identifier))
    state.withLock { $0.isDraining = true }
    logger.info(
      "upgrade: the new process serves, draining",
      metadata: ["pid": "\(identifier)", "limit": "\(limit)"])
    upgrades.ended(handedOver: true)
    Task {
      await stop(drainingFor: limit, manner: .handover(except: exceptions))
      upgrades.drained()
    }
    await controlPlane?.releaseStore()
    successor.send(.released)
    successor.release()
  }

  /// A signal that ends the process while it drains for an upgrade: what is idle closes now.
  func hurryDrain() { state.withLock { $0.pool }?.post { $0.endPatience() } }

  /// Tells the service manager, if there is one.
  func tellServiceManager(_ news: ServiceManager.News) {
    do throws(SystemError) {
      try ServiceManager(environment: ChildProcess.ownEnvironment()).tell(news)
    } catch {
      logger.warning(
        "the service manager cannot be told", metadata: ["news": "\(news)", "reason": "\(error)"])
    }
  }
}
