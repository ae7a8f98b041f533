import CLinux
import Glibc

/// A thread for work that may block, such as writing to a disk.
public enum BackgroundThread {
  /// Starts a thread that runs `body` once. It takes no signals, so that those of the process go to
  /// the threads that expect them, and a write to a closed pipe answers EPIPE.
  ///
  /// - Parameter name: as `top -H` shows it; the first 15 bytes count.
  public static func start(name: String, _ body: @escaping @Sendable () -> Void) {
    let content = Body(name: name, body: body)
    ControlThreads.withoutGivingWay { start(content) }
  }

  private static func start(_ content: Body) {
    var thread = pthread_t()
    // The retained pointer is taken over by the thread's first statement.
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let content = unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
        content.run()
        return nil
      }, Unmanaged.passRetained(content).toOpaque())
    precondition(status == 0, "cannot start a thread: \(SystemError(status))")
    pthread_detach(thread)
  }

  /// Gives the calling thread less of a CPU that others want as well.
  public static func lowerPriority(byNice nice: Int) { penstock_lower_priority(Int32(nice)) }

  private final class Body: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }

    func run() {
      // The string lives for the call.
      unsafe penstock_name_thread(name)
      var signals = sigset_t()
      // The set is a plain structure of this frame.
      unsafe sigfillset(&signals)
      unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
      body()
    }
  }
}
