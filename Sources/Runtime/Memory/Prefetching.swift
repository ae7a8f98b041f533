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

  /// Has one element brought into the caches. An index that is out of bounds stops the process.
  @inline(__always)
  public static func prepare<Element>(_ elements: Span<Element>, at index: Int) {
    precondition(elements.indices.contains(index))
    elements.withUnsafeBufferPointer { buffer in
      // Within the buffer, as was checked; and the address is not followed.
      unsafe penstock_prefetch(buffer.baseAddress! + index, MemoryLayout<Element>.stride)
    }
  }
}
