import Resources
import Runtime
import Synchronization
import TLS

/// Where a plugin is in use, and what it has there.
public struct PluginSite {
  public enum Scope: Sendable, Hashable {
    case everything
    case service(String)
    case route(String)
    case consumer(String)

    /// `route shop`, for logs and explanations.
    public var description: String {
      switch self {
      case .everything: "everything"
      case .service(let name): "service \(name)"
      case .route(let name): "route \(name)"
      case .consumer(let name): "consumer \(name)"
      }
    }
  }

  /// Of the plugin.
  public let name: String
  public let scope: Scope
  /// Time, timers, randomness and tasks of the worker.
  public let worker: Worker
  /// What connections of the worker do TLS with.
  public let tls: TLSWorker
  /// Those that plugins look credentials up in.
  public let consumers: ConsumerTable
  public let workerCount: Int
  /// Of the plugin's kind, on this worker.
  public let counters: PluginCounters
  private let shared: PluginStates
  private unowned let data: DataPlaneWorker
  private let own: WorkerObjects
  private let values: OptionValues

  init(_ attachment: PluginAttachment, _ scope: Scope, of data: DataPlaneWorker) {
    name = attachment.name
    values = attachment.values
    self.scope = scope
    worker = data.worker
    tls = data.tls
    consumers = data.consumers
    workerCount = data.workerCount
    counters = data.counters.plugin(named: attachment.name)
    shared = data.pluginStates
    self.data = data
    own = data.pluginObjects
  }

  /// A service that an option of the type ``OptionType/service`` names. For the making of a plugin, not for requests.
  public func service(named name: String) -> NamedService { NamedService(name, of: data) }

  /// What the workers share for this use of the plugin with these settings: the first of them makes it. Takes a
  /// lock: for the making of a plugin, not for requests.
  public func sharedState<State: AnyObject & Sendable>(_ make: () -> State) -> State {
    shared.state(for: "\(scope) \(name)", values, make)
  }

  /// What all plugins of this worker have in common under a key, such as a connection: made for the first, kept as
  /// long as any of them keeps it.
  public func workerObject<Object: AnyObject>(for key: some Hashable, _ make: () -> Object) -> Object {
    own.object(for: key, make)
  }
}

/// What the plugins of one worker have in common. On its thread.
final class WorkerObjects {
  private struct Held {
    weak var object: AnyObject?
  }

  private var held: [AnyHashable: Held] = [:]

  func object<Object: AnyObject>(for key: some Hashable, _ make: () -> Object) -> Object {
    if let known = held[key]?.object as? Object { return known }
    // A few: those that nobody has any more go when another is made.
    held = held.filter { $0.value.object != nil }
    let new = make()
    held[key] = Held(object: new)
    return new
  }
}

/// What workers share of plugins, for as long as any of them uses it. From any thread.
public final class PluginStates: Sendable {
  private struct Held {
    weak var state: (any AnyObject & Sendable)?
    /// That it was made for: other settings have another state.
    let values: OptionValues
  }

  private struct Table {
    var held: [String: Held] = [:]
    var sweepAt = 1_024
  }

  private let table = Mutex(Table())

  public init() {}

  func state<State: AnyObject & Sendable>(
    for key: String, _ values: OptionValues, _ make: () -> State
  ) -> State {
    table.withLock { table in
      if let known = table.held[key], known.values == values, let state = known.state as? State {
        return state
      }
      let new = make()
      table.held[key] = Held(state: new, values: values)
      // What nobody uses any more is forgotten when there are many more.
      if table.held.count > table.sweepAt {
        table.held = table.held.filter { $0.value.state != nil }
        table.sweepAt = max(1_024, table.held.count * 2)
      }
      return new
    }
  }
}
