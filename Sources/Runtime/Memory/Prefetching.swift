import CLinux

/// Hints to the processor about memory that no cache holds.
public enum Prefetching {
  /// Has the beginning of an object brought into the caches, while the caller goes on with something else. For
  /// what is about to be changed, and is one of so many that it is rarely there.
  @inline(__always)
  public static func prepare(_ object: AnyObject, bytes: Int) {
    // The address is not followed: a wrong size would cost time, and nothing else.
    unsafe penstock_prefetch(Unmanaged.passUnretained(object).toOpaque(), bytes)
  }
}
