import CLinux
import Glibc

/// Threads that run workers.
public enum WorkerThread {
  /// A worker that is woken for a request takes the CPU from a thread with longer slices. The kernel takes no
  /// less.
  private static let sliceMicroseconds: UInt32 = 100
  /// A thread of the control plane that shares a worker's CPU would keep it for up to 3 ms otherwise.
  private static let otherSliceMicroseconds: UInt32 = 500

  /// CPUs that the process may use; affinity and a cgroup's quota considered.
  public static var usableCPUs: Int { Int(penstock_usable_cpus()) }

  /// Makes the threads of the process give up the CPU often, for the sake of workers: those that there are, and
  /// those that they start. To be called before there are workers.
  public static func shareCPUs() { penstock_shorten_slices(otherSliceMicroseconds) }

  /// Starts a thread that runs `worker` until it is stopped, pinned to one CPU where `pinned`.
  /// The thread's name shows in `top -H` and in debuggers.
  public static func start(
    _ worker: Worker, name: String, pinned: Bool, completion: @escaping @Sendable () -> Void
  ) {
    let body = Body(worker: worker, name: name, pinned: pinned, completion: completion)
    ControlThreads.withoutGivingWay { start(body) }
  }

  private static func start(_ body: Body) {
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
      penstock_shorten_slice(WorkerThread.sliceMicroseconds)
      worker.run()
      completion()
    }
  }
}
