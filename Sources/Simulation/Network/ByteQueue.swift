/// Bytes on their way: appended at one end, taken at the other.
struct ByteQueue {
  private var bytes: [UInt8] = []
  private var first = 0

  var count: Int { bytes.count - first }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  mutating func append(_ more: UnsafeRawBufferPointer) {
    // Copied during the call.
    unsafe bytes.append(contentsOf: more)
  }

  /// Takes the first `count` bytes, or as many as there are.
  mutating func take(_ count: Int) -> [UInt8] {
    let end = first + min(count, self.count)
    let taken = Array(bytes[first..<end])
    drop(to: end)
    return taken
  }

  /// Moves bytes to `target` and says how many.
  mutating func move(to target: UnsafeMutableRawBufferPointer) -> Int {
    let moved = min(count, target.count)
    // moved is within both.
    unsafe bytes.withUnsafeBytes { source in
      unsafe target.copyBytes(from: UnsafeRawBufferPointer(rebasing: source[first..<first + moved]))
    }
    drop(to: first + moved)
    return moved
  }

  mutating func removeAll() {
    bytes = []
    first = 0
  }

  private mutating func drop(to end: Int) {
    first = end
    if first == bytes.count {
      bytes.removeAll(keepingCapacity: true)
      first = 0
    } else if first > 65_536 {
      bytes.removeSubrange(0..<first)
      first = 0
    }
  }
}
