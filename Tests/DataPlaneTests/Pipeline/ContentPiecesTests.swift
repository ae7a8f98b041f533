import Runtime
import Synchronization
import Testing

@testable import DataPlane

@Suite("content that is read while it is sent")
struct ContentPiecesTests {
  private func bytes(_ count: Int) -> FrozenBytes {
    let buffer = Buffer(capacity: max(1, count))
    buffer.append([UInt8](repeating: 65, count: count))
    return FrozenBytes(buffer)
  }

  @Test("one piece is read ahead, and none beyond the last")
  func readsAhead() {
    let reads = Atomic(0)
    let pieces = ContentPieces(count: 250) { _ in reads.add(1, ordering: .relaxed) }
    #expect(pieces.take() == nil && reads.load(ordering: .relaxed) == 1)
    #expect(pieces.take() == nil && reads.load(ordering: .relaxed) == 1)
    for (count, readsAfter) in [(100, 2), (100, 3), (50, 3)] {
      pieces.give(bytes(count))
      #expect(
        !pieces.isAtEnd && pieces.take()?.count == count && reads.load(ordering: .relaxed) == readsAfter)
    }
    #expect(pieces.isAtEnd && !pieces.hasFailed && pieces.take() == nil)
  }

  @Test("what is empty or too much is a failure, after which nothing is read", arguments: [0, 251])
  func wrongPieces(count: Int) {
    let reads = Atomic(0)
    let pieces = ContentPieces(count: 250) { _ in reads.add(1, ordering: .relaxed) }
    #expect(pieces.take() == nil)
    pieces.give(bytes(count))
    #expect(pieces.take() == nil && pieces.hasFailed && !pieces.isAtEnd)
    #expect(reads.load(ordering: .relaxed) == 1)
  }

  @Test("what was read before a failure is still to be had; nobody waits for what has come or failed")
  func failure() {
    let pieces = ContentPieces(count: 250) { _ in }
    let handle = WakeHandle(on: Worker(index: 0, seam: EpollSeam()))
    #expect(!pieces.wake(handle))
    #expect(pieces.take() == nil && pieces.wake(handle))
    pieces.give(bytes(100))
    #expect(!pieces.wake(handle) && pieces.take()?.count == 100)
    // The next is being read by now.
    #expect(pieces.wake(handle))
    pieces.fail()
    #expect(!pieces.wake(handle) && pieces.take() == nil && pieces.hasFailed && !pieces.isAtEnd)
  }
}
