import CLinux
import Glibc
import Runtime

/// An eventfd: ends the `poll` of a background thread, from any other one.
final class WakeDescriptor: Sendable {
  let handle: Int32

  init() {
    handle = penstock_eventfd()
    precondition(handle >= 0, "cannot make an eventfd: \(SystemError(-handle))")
  }

  deinit { _ = Glibc.close(handle) }

  /// Makes the handle readable until ``drain()``.
  func signal() {
    var one: UInt64 = 1
    // Eight bytes of a local variable; fails only when the counter is full, and then it is readable.
    _ = unsafe Glibc.write(handle, &one, 8)
  }

  func drain() {
    var count: UInt64 = 0
    // Eight bytes into a local variable; the handle does not block.
    _ = unsafe Glibc.read(handle, &count, 8)
  }
}
