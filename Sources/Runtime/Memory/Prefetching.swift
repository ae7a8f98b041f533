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

  /// The same for an array of bytes, of which the first ones are wanted.
  @inline(__always)
  public static func prepare(_ bytes: borrowing [UInt8]) { MemoryPlace(of: bytes).prepare(bytes: 64) }

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

/// Where something stands in memory that is to be brought near before it is used. To ask a reference for it then would
/// be to count the reference, which waits for the memory. Nothing is ever read or written there: where it has moved or
/// gone meanwhile, time is lost and nothing else.
public struct MemoryPlace: Sendable {
  private let address: UInt

  public static let nowhere = MemoryPlace(address: 0)

  private init(address: UInt) { self.address = address }

  @inline(__always)
  public init(of object: AnyObject) {
    // Only the address is used.
    address = unsafe UInt(bitPattern: Unmanaged.passUnretained(object).toOpaque())
  }

  /// The array's head included, in which its references are counted.
  @inline(__always)
  public init(of bytes: borrowing [UInt8]) {
    // Only the address is used.
    let first = unsafe bytes.withUnsafeBufferPointer { unsafe UInt(bitPattern: $0.baseAddress) }
    address = first > Self.arrayHeadBytes ? first - Self.arrayHeadBytes : 0
  }

  private static let arrayHeadBytes: UInt = 32

  @inline(__always)
  public func prepare(bytes: Int) {
    guard let memory = UnsafeRawPointer(bitPattern: address) else { return }
    // The address is not followed.
    unsafe penstock_prefetch(memory, bytes)
  }
}
