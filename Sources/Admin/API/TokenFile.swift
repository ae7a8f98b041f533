import Foundation
import Synchronization

/// The file of the admin API's token. It is looked at for each request, and read when it has changed.
public final class TokenFile: Sendable {
  /// A change within the same tick of the file system's clock as the one before leaves the same time: what
  /// has just been written is read again, this often, until the time has moved on.
  private static let unrest = Duration.milliseconds(100)

  /// What `stat` says: with the same one, the file holds the same.
  private struct Signature: Equatable {
    var device: UInt64
    var inode: UInt64
    var bytes: Int64
    var modified: Duration
  }

  private struct Known {
    var signature: Signature
    var access: AdminAccess
    var read: ContinuousClock.Instant
    /// Whether the file was old enough when it was read.
    var isSettled: Bool
  }

  private let path: String
  private let known = Mutex<Known?>(nil)

  public init(_ path: String) { self.path = path }

  /// Who may use the admin API, as the file says now. A file that is gone, or holds no token, lets nobody in.
  /// From any thread but a worker's.
  public func access() -> AdminAccess {
    known.withLock { known in
      // Looked at before it is read, so that a change in between is noticed.
      guard let signature = signature() else {
        known = nil
        return AdminAccess.file(path)
      }
      let now = ContinuousClock.now
      if let known, known.signature == signature, known.isSettled || now - known.read < Self.unrest {
        return known.access
      }
      let access = AdminAccess.file(path)
      known = Known(
        signature: signature, access: access, read: now,
        isSettled: Self.time(of: CLOCK_REALTIME) - signature.modified > Self.unrest)
      return access
    }
  }

  private func signature() -> Signature? {
    var status = stat()
    // The path is read, and the structure written, during the call.
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Signature(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), bytes: Int64(status.st_size),
      modified: .seconds(status.st_mtim.tv_sec) + .nanoseconds(status.st_mtim.tv_nsec))
  }

  private static func time(of clock: clockid_t) -> Duration {
    var time = timespec()
    // The structure is written during the call.
    guard unsafe clock_gettime(clock, &time) == 0 else { return .zero }
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
