import Runtime
import Synchronization

/// What settings say of a zone's disk. It is opened for the first request that meets them, or for a purge, and closed
/// when no settings have it any more. From any thread.
final class CacheDiskUse: Sendable {
  let zone: String
  /// Of the zone: within the folder of the settings.
  private let folder: String
  private let bytesMax: Int
  private let inactiveNanoseconds: Int64
  private let memoryBytes: Int
  private let opened = Mutex<CacheDisk?>(nil)

  /// - path: Of a folder that may be for several zones.
  init(_ path: String, bytesMax: Int, inactiveNanoseconds: Int64, zone: String, memoryBytes: Int) {
    self.zone = zone
    folder = path + (path.hasSuffix("/") ? "" : "/") + Self.folderName(zone)
    self.bytesMax = bytesMax
    self.inactiveNanoseconds = inactiveNanoseconds
    self.memoryBytes = memoryBytes
    CacheDisks.note(self)
  }

  /// What is neither a letter, a digit nor a hyphen is written as `%2F`.
  static func folderName(_ zone: String) -> String {
    var name = ""
    for byte in zone.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        name.unicodeScalars.append(Unicode.Scalar(byte))
      default: name += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return name
  }

  /// Opens it where it is not.
  var disk: CacheDisk {
    opened.withLock { opened in
      if let opened { return opened }
      let zone = CacheZones.zone(named: zone, limit: memoryBytes)
      let disk = CacheDisks.disk(in: folder, limit: bytesMax, of: zone)
      disk.core.setInactive(inactiveNanoseconds)
      opened = disk
      return disk
    }
  }

  /// Opens it where a process before has left something. May block.
  func openIfUsed() {
    if opened.withLock({ $0 != nil }) { return }
    if StoredFiles.secondsSinceChange(of: folder) != nil { _ = disk }
  }
}

/// The disks of the process. From any thread.
enum CacheDisks {
  private struct State {
    struct Use { weak var use: CacheDiskUse? }
    struct Opened { weak var disk: CacheDisk? }

    var uses: [Use] = []
    /// By their folders.
    var disks: [String: Opened] = [:]
    var sweepAt = 64
  }

  private static let state = Mutex(State())
  /// What was purged and may still be in files of folders that are not open, by the folders.
  private static let notes = Mutex<[String: PurgeNotes]>([:])

  /// Keeps what a disk that is closed has noted for the next one of its folder.
  static func keep(_ notes: PurgeNotes, of folder: String) {
    if !notes.isEmpty { self.notes.withLock { $0[folder] = notes } }
  }

  static func note(_ use: CacheDiskUse) {
    state.withLock { state in
      state.uses.append(State.Use(use: use))
      // Those that no settings have any more are forgotten when there are many more.
      guard state.uses.count >= state.sweepAt else { return }
      state.uses = state.uses.filter { $0.use != nil }
      state.sweepAt = max(64, 2 * state.uses.count)
    }
  }

  /// One for all that use the folder; what is asked of its size last holds.
  static func disk(in folder: String, limit: Int, of zone: CacheZone) -> CacheDisk {
    let disk = state.withLock { state -> CacheDisk in
      if let known = state.disks[folder]?.disk { return known }
      state.disks = state.disks.filter { $0.value.disk != nil }
      let notes = notes.withLock { $0.removeValue(forKey: folder) } ?? PurgeNotes()
      let new = CacheDisk(folder, limit: limit, of: zone, notes: notes)
      state.disks[folder] = State.Opened(disk: new)
      return new
    }
    disk.core.index.resize(to: limit)
    zone.attach(disk)
    return disk
  }

  /// Opens those that nobody has met since the start, so that a purge concerns them. May block.
  static func openAllUsed() {
    for use in state.withLock({ $0.uses.compactMap(\.use) }) { use.openIfUsed() }
  }

  /// Waits until the files of what was purged are gone, each disk at most so long.
  static func settle(milliseconds: Int32) {
    for disk in state.withLock({ $0.disks.values.compactMap(\.disk) }) {
      disk.core.settle(milliseconds: milliseconds)
    }
  }
}
