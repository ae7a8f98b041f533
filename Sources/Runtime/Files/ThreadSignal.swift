import CLinux
import Glibc

/// Wakes one thread that waits. Raising it before the wait, or several times, wakes it once.
public final class ThreadSignal: Sendable {
  private let descriptor: Int32

  public init() {
    descriptor = penstock_eventfd()
    precondition(descriptor >= 0, "cannot make an eventfd: \(SystemError(-descriptor))")
  }

  deinit { _ = Glibc.close(descriptor) }

  /// From any thread; never blocks.
  public func raise() {
    var one: UInt64 = 1
    // Reads eight bytes of the variable. Fails only when the counter is full, and then it is raised.
    _ = unsafe Glibc.write(descriptor, &one, 8)
  }

  /// Returns when the signal is raised, or after `milliseconds`; it is then no longer raised.
  public func wait(milliseconds: Int32) {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // One entry, alive for the call.
    _ = unsafe Glibc.poll(&entry, 1, milliseconds)
    var count: UInt64 = 0
    // Non-blocking; writes eight bytes into the variable.
    _ = unsafe Glibc.read(descriptor, &count, 8)
  }
}
