import Resources
import Runtime
import Synchronization

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
  /// Those that plugins look credentials up in.
  public let consumers: ConsumerTable
  public let workerCount: Int
  private let shared: PluginStates

  init(_ name: String, _ scope: Scope, of data: DataPlaneWorker) {
    self.name = name
    self.scope = scope
    worker = data.worker
    consumers = data.consumers
    workerCount = data.workerCount
    shared = data.pluginStates
  }

  /// What the workers share for this use of the plugin: the first of them makes it. Takes a lock: for the
  /// making of a plugin, not for requests.
  public func sharedState<State: AnyObject & Sendable>(_ make: () -> State) -> State {
    shared.state(for: "\(scope) \(name)", make)
  }
}

/// What workers share of plugins, for as long as any of them uses it. From any thread.
public final class PluginStates: Sendable {
  private struct Held {
    weak var state: (any AnyObject & Sendable)?
  }

  private let states = Mutex<[String: Held]>([:])

  public init() {}

  func state<State: AnyObject & Sendable>(for key: String, _ make: () -> State) -> State {
    states.withLock { states in
      if let known = states[key]?.state as? State { return known }
      let new = make()
      // What nobody uses any more is forgotten when there is more.
      states = states.filter { $0.value.state != nil }
      states[key] = Held(state: new)
      return new
    }
  }
}
