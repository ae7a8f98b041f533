import CLinux
import Dispatch
import Synchronization

/// The threads that Swift's pool and NIO start, which serve the control plane: where a worker wants their CPU, they
/// give way. A change takes some half a millisecond of a CPU, which requests should not wait for
/// (docs/decisions/0027-requests-first.md).
public enum ControlThreads {
  /// Above that of workers. Where workers take all they can get, the control plane keeps a thirtieth of a CPU.
  private static let nice: Int32 = 15
  private static let starter = Mutex<ThreadStarter?>(nil)
  /// Of the process; `Int.max`: nobody gives way yet.
  private static let ownNice = Atomic<Int>(.max)

  /// Has threads give way from now on. To be called by one that has not, when workers run: threads and processes
  /// inherit what their creator has, and only the privileged can go back.
  public static func begin() {
    starter.withLock { $0 = $0 ?? ThreadStarter() }
    ownNice.store(Int(penstock_nice()), ordering: .releasing)
  }

  /// Has the calling thread give way, for good. To be called where work of the control plane begins; after the
  /// first time it costs a nanosecond.
  public static func giveWay() {
    let own = ownNice.load(ordering: .acquiring)
    if own != .max { penstock_give_way(Int32(own) + nice) }
  }

  /// Runs `body`, which starts a thread or a process that is not to give way, and waits for it.
  static func withoutGivingWay(_ body: @escaping @Sendable () -> Void) {
    let own = ownNice.load(ordering: .acquiring)
    guard own != .max, penstock_nice() > own, let starter = starter.withLock({ $0 }) else { return body() }
    starter.run(body)
  }
}

/// A thread that never gives way, for what would inherit it.
private final class ThreadStarter: Sendable {
  private let bodies = Mutex<[@Sendable () -> Void]>([])
  private let arrivals = DispatchSemaphore(value: 0)

  init() {
    BackgroundThread.start(name: "starter") { [self] in
      while true {
        arrivals.wait()
        bodies.withLock { $0.removeFirst() }()
      }
    }
  }

  func run(_ body: @escaping @Sendable () -> Void) {
    let done = DispatchSemaphore(value: 0)
    bodies.withLock { bodies in
      bodies.append {
        body()
        done.signal()
      }
    }
    arrivals.signal()
    done.wait()
  }
}
