import CLinux
import Glibc

/// Threads that run workers.
public enum WorkerThread {
  /// CPUs that the process may use; affinity and a cgroup's quota considered.
  public static var usableCPUs: Int { Int(penstock_usable_cpus()) }

  /// Starts a thread that runs `worker` until it is stopped, pinned to one CPU where `pinned`.
  /// The thread's name shows in `top -H` and in debuggers.
  public static func start(
    _ worker: Worker, name: String, pinned: Bool, completion: @escaping @Sendable () -> Void
  ) {
    let body = Body(worker: worker, name: name, pinned: pinned, completion: completion)
    var thread = pthread_t()
    // The retained pointer is taken over by the thread's first statement.
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let body = unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
        body.run()
        return nil
      }, Unmanaged.passRetained(body).toOpaque())
    precondition(status == 0, "cannot start a thread: \(SystemError(status))")
    pthread_detach(thread)
  }

  private final class Body: Sendable {
    let worker: Worker
    let name: String
    let pinned: Bool
    let completion: @Sendable () -> Void

    init(worker: Worker, name: String, pinned: Bool, completion: @escaping @Sendable () -> Void) {
      self.worker = worker
      self.name = name
      self.pinned = pinned
      self.completion = completion
    }

    func run() {
      // The string lives for the call.
      unsafe penstock_name_thread(name)
      if pinned { _ = penstock_pin_thread(Int32(worker.index)) }
      worker.run()
      completion()
    }
  }
}
