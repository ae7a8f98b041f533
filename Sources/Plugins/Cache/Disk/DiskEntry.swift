import Runtime
import Synchronization

/// A file with a stored response, as the index of its disk knows it. From any thread.
final class DiskEntry: CacheEntry {
  let identity: StoredResponse.Identity
  let tags: [[UInt8]]
  let terms: StorageTerms
  private let canBeValidated: Bool
  /// When it came: nanoseconds of the monotonic clock, also before the system has started.
  let storedAt: Int64
  let file: DiskFile
  let headBytes: Int
  let contentBytes: Int
  /// On the disk.
  let bytes: Int
  private let doomed: DoomedFiles
  private let wasUsed = Atomic(false)
  /// Nanoseconds of the monotonic clock. One that is found counts as used when it was.
  private let lastUse = Atomic(SystemClock.monotonicNanoseconds)
  private let reading = Mutex<[WakeHandle]?>(nil)
  /// Requests that it is sent to while it is read.
  private let senders = Atomic(0)

  /// File systems give room by blocks.
  private static let blockBytes = 4_096

  static func bytes(_ headBytes: Int, _ contentBytes: Int) -> Int {
    (headBytes + contentBytes + blockBytes - 1) / blockBytes * blockBytes
  }

  /// - headBytes: All that comes before the content.
  init(
    _ head: DiskFormat.Head, headBytes: Int, contentBytes: Int, in file: DiskFile, storedAt: Int64,
    _ doomed: DoomedFiles
  ) {
    identity = StoredResponse.Identity(
      hash: CacheURL(head.url).hash, url: head.url, partition: head.partition, selected: head.selected)
    tags = head.tags
    terms = head.terms
    canBeValidated = !head.entityTag.isEmpty || head.lastModified != nil
    self.storedAt = storedAt
    self.file = file
    self.headBytes = headBytes
    self.contentBytes = contentBytes
    bytes = Self.bytes(headBytes, contentBytes)
    self.doomed = doomed
  }

  func takeMark() -> Bool { wasUsed.exchange(false, ordering: .relaxed) }

  /// - time: Nanoseconds of the monotonic clock.
  func noteUse(at time: Int64) {
    if time <= usedAt { return }
    wasUsed.store(true, ordering: .relaxed)
    lastUse.store(time, ordering: .relaxed)
  }

  var usedAt: Int64 { lastUse.load(ordering: .relaxed) }

  func forget() { doomed.add(file) }

  /// Whether it is of any use still; as ``StoredResponse/isOfUse(at:)``.
  func isOfUse(at now: Int64) -> Bool {
    canBeValidated || terms.isOfUse(age: age(at: now))
  }

  /// Seconds since it came.
  func age(at now: Int64) -> Int64 { max(0, now - storedAt) / 1_000_000_000 }

  // MARK: Reading

  /// - Returns: false where it is sent to so many already.
  func beginSending(atMost limit: Int) -> Bool {
    if senders.add(1, ordering: .relaxed).newValue <= limit { return true }
    endSending()
    return false
  }

  func endSending() { senders.subtract(1, ordering: .relaxed) }

  enum ReadingTurn {
    /// It has to be read for this.
    case begins
    /// It is being read.
    case goesOn
    /// Too many wait for that.
    case refused
  }

  /// Requests that wait for one file; what comes above goes to the endpoint.
  static let waitingMax = 4_096

  func beginReading(for handle: WakeHandle) -> ReadingTurn {
    reading.withLock { handles in
      guard let count = handles?.count else {
        handles = [handle]
        return .begins
      }
      guard count < Self.waitingMax else { return .refused }
      // In its place: a copy for each would cost the square of them.
      handles?.append(handle)
      return .goesOn
    }
  }

  /// It was read, or will not be.
  func endReading() {
    let handles = reading.withLock { handles in
      let all = handles ?? []
      handles = nil
      return all
    }
    for handle in handles { handle.wake() }
  }
}

/// The name of a file: 16 hexadecimal digits, of which the first two are its folder's.
struct DiskFile: Hashable, Sendable {
  let number: UInt64

  static func random() -> DiskFile { DiskFile(number: .random(in: .min ... .max)) }

  init(number: UInt64) { self.number = number }

  /// Nil for what is no such name, or in the wrong folder.
  init?(name: String, in folder: Int) {
    guard name.utf8.count == 16, !name.utf8.contains(where: { !Self.isDigit($0) }),
      let number = UInt64(name, radix: 16), Int(number >> 56) == folder
    else { return nil }
    self.number = number
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }

  static let folderCount = 256

  static func folder(_ number: Int) -> String { (number < 16 ? "0" : "") + String(number, radix: 16) }

  var folder: String { Self.folder(Int(number >> 56)) }

  var name: String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Within the disk's folder.
  var path: String { folder + "/" + name }
}

/// Files that are to be removed. From any thread.
final class DoomedFiles: Sendable {
  /// No more than there were in the index.
  private let files = Mutex<[DiskFile]>([])
  private let signal: ThreadSignal

  /// - signal: Is raised when there are some.
  init(_ signal: ThreadSignal) { self.signal = signal }

  func add(_ file: DiskFile) {
    let isFirst = files.withLock { files in
      files.append(file)
      return files.count == 1
    }
    if isFirst { signal.raise() }
  }

  func takeAll() -> [DiskFile] {
    files.withLock { files in
      let all = files
      files = []
      return all
    }
  }
}
