import CLinux

/// The allocator of the process.
public enum ProcessMemory {
  /// Trades a little time of each free for no long pauses; to be called before other threads start.
  public static func avoidPauses() { penstock_malloc_without_fastbins() }

  /// Gives memory that is free back to the system: after much was read. From any thread; takes
  /// milliseconds for each 100 MB, in which others may have to wait for memory.
  public static func trim() { penstock_malloc_trim() }
}
