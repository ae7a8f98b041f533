import CLinux
import Glibc
import Runtime

/// Threads for calls that block, which Swift's own pool must not be kept with.
enum BackgroundThread {
  /// Runs `body` on a new thread. The name shows in `top -H`; 15 bytes of it.
  static func start(name: String, _ body: @escaping @Sendable () -> Void) {
    let work = Work(name: name, body: body)
    var thread = pthread_t()
    // The retained pointer is taken over by the thread's first statement.
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let work = unsafe Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
        // The string lives for the call.
        unsafe penstock_name_thread(work.name)
        work.body()
        return nil
      }, Unmanaged.passRetained(work).toOpaque())
    precondition(status == 0, "cannot start a thread: \(SystemError(status))")
    pthread_detach(thread)
  }

  private final class Work: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}

/// Carries a value to the thread that will own it; whoever made it uses it no more.
struct ThreadConfined<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
