import DataPlane
import Logging
import Resources
import Synchronization
import TLS
import Testing

@testable import ControlPlane

/// Writes down what it is told.
final class RecordingSink: ControlPlaneSink {
  private struct State {
    var deltas: [Delta] = []
    var served = ServedState()
    var isHolding = false
    var held: [@Sendable () -> Void] = []
    /// Ports that another program has, and what is said of them.
    var taken: [UInt16: String] = [:]
  }

  private let state = Mutex(State())
  let settings = Collected<Configuration>()

  func publish(_ delta: Delta, whenServed: @escaping @Sendable () -> Void) {
    let isHeld = state.withLock { state in
      state.deltas.append(delta)
      state.served.apply(delta)
      if state.isHolding { state.held.append(whenServed) }
      return state.isHolding
    }
    if !isHeld { whenServed() }
  }

  func unavailableListeners(
    among listeners: [(number: Int, listener: Listener)]
  ) -> [Int: String] {
    let taken = state.withLock(\.taken)
    return listeners.reduce(into: [:]) { $0[$1.number] = taken[UInt16($1.listener.address.port)] }
  }

  /// Another program listens there.
  func take(port: UInt16, _ reason: String) { state.withLock { $0.taken[port] = reason } }

  func settingsChanged(_ settings: Configuration) { self.settings.append(settings) }

  /// Takes what workers begin with.
  func begin(_ delta: Delta) { state.withLock { $0.served.apply(delta) } }

  /// Those after the first.
  var deltas: [Delta] { state.withLock { $0.deltas } }

  /// What workers would have now.
  var served: ServedState { state.withLock { $0.served } }

  /// From now on, workers take changes but do not get around to them.
  func hold() { state.withLock { $0.isHolding = true } }

  /// They have caught up.
  func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      state.isHolding = false
      return state.held
    }
    for whenServed in held { whenServed() }
  }

  // MARK: What was told of one thing

  /// Verdicts of active checks, in their order.
  var verdicts: [Bool] { deltas.flatMap(\.health).map(\.isHealthy) }

  /// Endpoints that have changed by themselves.
  var endpointChanges: [[ResolvedEndpoint]] { deltas.flatMap(\.endpoints).map(\.endpoints) }

  /// Certificates that came after the first delta.
  var renewals: [TLSCertificate] {
    deltas.flatMap(\.certificates).compactMap {
      if case .set(let certificate, _) = $0 { certificate } else { nil }
    }
  }

  /// Listeners' TLS that came after the first delta without the listener.
  var securities: [ListenerSecurity] {
    deltas.flatMap(\.listeners).compactMap {
      if case .setSecurity(_, let security) = $0 { security } else { nil }
    }
  }
}

/// Keeps lines: level, message and metadata.
struct LogLines: LogHandler {
  let lines: Collected<String>
  var metadata = Logger.Metadata()
  var logLevel = Logger.Level.trace
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
  func log(event: LogEvent) { lines.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
}

/// A control plane, what it tells workers, and what it tells people.
struct RunningPlane {
  let folder: TestFolder
  let sink = RecordingSink()
  let lines = Collected<String>()
  let control: ControlPlane

  init(_ source: ConfigurationSource, in folder: TestFolder, options: ControlPlane.Options = .init()) {
    self.folder = folder
    let lines = lines
    control = ControlPlane(
      source: source, logger: Logger(label: "test") { _ in LogLines(lines: lines) }, sink: sink,
      options: options)
  }

  /// Of `penstock.yaml` in a folder.
  init(_ text: String, in folder: TestFolder, options: ControlPlane.Options = .init()) throws {
    try folder.write(text, to: "penstock.yaml")
    self.init(.file(folder.path("penstock.yaml")), in: folder, options: options)
  }

  func start() async throws(ControlPlaneError) {
    let (_, delta) = try await control.load()
    sink.begin(delta)
    control.follow()
  }

  /// Ends it, and looks whether workers could have followed.
  func stop(sourceLocation: SourceLocation = #_sourceLocation) async {
    await control.stop()
    #expect(sink.served.problems == [], sourceLocation: sourceLocation)
  }

  var served: ServedState { sink.served }

  func hasLogged(_ text: String) -> Bool { lines.values.contains { $0.contains(text) } }
}

/// Why `body` failed, in full.
func startProblem(_ running: RunningPlane) async throws -> String {
  do throws(ControlPlaneError) {
    try await running.start()
  } catch {
    return error.description
  }
  throw UnexpectedSuccess()
}

struct UnexpectedSuccess: Error {}
