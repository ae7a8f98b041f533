import DataPlane
import Logging
import Resources
import TLS

@testable import ControlPlane

/// A registry of the files in a folder, without any thread of its own: tests say when it looks at what.
final class RegistryBench {
  let folder: TestFolder
  let sink = RecordingSink()
  let registry: Registry
  let lines = Collected<String>()
  private var source: FileSource
  private var hasBegun = false

  init(_ folder: TestFolder) {
    self.folder = folder
    let lines = lines
    registry = Registry(sink: sink, logger: Logger(label: "test") { _ in LogLines(lines: lines) })
    source = FileSource(.file(folder.path("penstock.yaml")))
  }

  /// Writes `penstock.yaml` and puts it in place.
  /// - Returns: what is wrong with its resources, one line for each problem.
  func load(_ text: String) async throws -> [String] {
    try folder.write(text, to: "penstock.yaml")
    let read = try source.read(.all, revision: await registry.revision + 1)
    do throws(ResourceProblems) {
      _ = try await registry.apply(read, endpoints: [:])
    } catch {
      return error.problems.map(\.description)
    }
    source.keep(read)
    if !hasBegun { sink.begin(await registry.takeInitial()) }
    hasBegun = true
    return []
  }

  var served: ServedState { sink.served }

  /// Looks at the files that resources name.
  /// - Returns: how many were taken over, and how many were refused.
  @discardableResult
  func refresh(readsAll: Bool = false) async -> [UInt64] {
    let before = await registry.status
    _ = await registry.refreshFiles(readsAll: readsAll)
    let after = await registry.status
    return [after.filesRenewed - before.filesRenewed, after.filesRefused - before.filesRefused]
  }

  func listener(_ name: String) async -> ListenerSecurity? { await registry.security(ofListener: name) }
  func service(_ name: String) async -> ServiceSecurity? { await registry.security(ofService: name) }
  func checks(_ name: String) async -> ServiceSecurity? { await registry.checkSecurity(ofService: name) }
}

extension Registry {
  func security(ofListener name: String) -> ListenerSecurity? { desk.security(ofListener: name) }
  func security(ofService name: String) -> ServiceSecurity? { desk.security(ofService: name) }
  func checkSecurity(ofService name: String) -> ServiceSecurity? { desk.checkSecurity(ofService: name) }

  /// What files of TLS were made into, and steps that could be taken back: none but within a change.
  var leftovers: [Int] { [desk.files.items.count, desk.mark] }

  /// Turns the ticket keys that are due at a time.
  /// - Returns: the listeners that have others now.
  func rotate(at now: ContinuousClock.Instant) -> Set<String> {
    var changes = SecurityDesk.Changes()
    desk.rotateTicketKeys(at: now, &changes)
    desk.keep()
    return changes.listeners
  }
}
