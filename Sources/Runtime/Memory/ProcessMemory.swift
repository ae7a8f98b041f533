import CLinux
import Glibc

/// The allocator of the process.
public enum ProcessMemory {
  /// Trades a little time of each free for no long pauses; to be called before other threads start.
  public static func avoidPauses() { penstock_malloc_without_fastbins() }

  /// Gives memory that is free back to the system: after much was read. From any thread; takes
  /// milliseconds for each 100 MB, in which others may have to wait for memory.
  public static func trim() { penstock_malloc_trim() }

  /// Gives back the pages that are wholly within a range. It reads as zeros afterwards.
  static func giveBackPages(_ start: UnsafeMutablePointer<UInt8>, _ count: Int) {
    let address = UInt(bitPattern: start)
    let first = (address &+ pageBytes &- 1) & ~(pageBytes &- 1)
    let end = (address &+ UInt(count)) & ~(pageBytes &- 1)
    guard first < end else { return }
    // Whole pages of the caller's own memory.
    _ = unsafe madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end &- first), MADV_DONTNEED)
  }

  static let pageBytes = UInt(sysconf(Int32(_SC_PAGESIZE)))
}
