import ControlPlane
import Logging
import Runtime

/// The new process's side of an upgrade.
extension Gateway {
  /// Receives what the process before this one hands over; nil where there is none.
  func findPredecessor() async throws(GatewayError) -> Predecessor? {
    let result: Result<Predecessor?, UpgradeError> = await withCheckedContinuation { continuation in
      BackgroundThread.start(name: "upgrade") {
        do throws(UpgradeError) {
          continuation.resume(returning: .success(try Predecessor.find()))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    do throws(UpgradeError) {
      return try result.get()
    } catch {
      throw .upgrade(error)
    }
  }

  /// Takes the old process's place: returns when connections are accepted here. The workers are configured,
  /// and hold their listeners.
  ///
  /// - Parameter openAdmin: opens the admin address, which the old process has closed by then.
  func takePlace(
    of predecessor: Predecessor, pool: WorkerPool, openAdmin: () async throws(GatewayError) -> Void
  ) async throws(GatewayError) {
    let unused = await pool.dropRestOfInheritance()
    do throws(UpgradeError) {
      if predecessor.hasAdmin { try await predecessor.takeAdmin() }
    } catch {
      throw .upgrade(error)
    }
    try await openAdmin()
    do throws(UpgradeError) {
      try await predecessor.becomeReady(unusedAddresses: unused)
    } catch {
      throw .upgrade(error)
    }
    for failure in await pool.startAccepting() { logger.error("\(failure)") }
  }

  /// Says that this process serves, and takes what the old one lets go of then. Changes are followed by now.
  func takeRest(of predecessor: Predecessor) async {
    do throws(UpgradeError) {
      try await predecessor.startServing()
    } catch {
      // Connections are accepted here: there is no way back.
      logger.warning("upgrade: \(error)")
    }
    await takeStore()
  }

  /// The old process lets go of the store at once, unless something is wrong with it: then it does when it
  /// ends. Changes are refused until then.
  private func takeStore() async {
    guard let problem = await controlPlane?.takeOverStore() else { return }
    logger.error("the store cannot be written yet: \(problem)")
    Task {
      for _ in 0..<Self.storeAttemptsMax {
        try await Task.sleep(for: Self.storeAttemptPause)
        if await controlPlane?.takeOverStore() == nil { return logger.info("the store can be written") }
      }
    }
  }

  private static let storeAttemptsMax = 600
  private static let storeAttemptPause = Duration.seconds(1)
}
