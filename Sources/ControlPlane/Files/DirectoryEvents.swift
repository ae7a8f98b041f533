import Glibc

/// What happened to an entry that is watched.
enum EntryEvent {
  /// Bytes were written, and the writer has not closed the file yet.
  case written
  /// A writer has closed the file, or another one has taken its place.
  case finished
  /// Created, or its attributes changed.
  case touched
}

/// inotify, for a set of directory entries. Used on one thread.
final class DirectoryEvents {
  /// `nil` when the system offers no inotify, or has run out of instances.
  let handle: Int32
  private var names: [Int32: Set<String>] = [:]
  private var memory = [UInt8](repeating: 0, count: 16_384)

  init?() {
    handle = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    guard handle >= 0 else { return nil }
  }

  deinit { _ = close(handle) }

  /// Replaces the entries watched; false when a directory of theirs cannot be watched.
  func watch(_ entries: some Sequence<DirectoryEntry>) -> Bool {
    let mask = UInt32(
      IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        | IN_DELETE_SELF | IN_MOVE_SELF)
    var wanted: [Int32: Set<String>] = [:]
    var isComplete = true
    var descriptors: [String: Int32] = [:]
    for entry in entries {
      var descriptor = descriptors[entry.directory] ?? -1
      if descriptor < 0 {
        // The string is read during the call. A directory that is watched keeps its descriptor.
        descriptor = unsafe inotify_add_watch(handle, entry.directory, mask)
        descriptors[entry.directory] = descriptor
      }
      if descriptor >= 0 {
        wanted[descriptor, default: []].insert(entry.name)
      } else {
        isComplete = false
      }
    }
    for descriptor in names.keys where wanted[descriptor] == nil {
      _ = inotify_rm_watch(handle, descriptor)
    }
    names = wanted
    return isComplete
  }

  /// Takes what has happened since the last call; does not wait.
  func take() -> [EntryEvent] {
    var events: [EntryEvent] = []
    while true {
      let descriptor = handle
      // At most the array's length is written into it, during the call.
      let count = unsafe memory.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress!, $0.count) }
      guard count > 0 else { return events }
      var position = 0
      // The kernel writes whole events: descriptor, mask, cookie, length of the name, name.
      while position + 16 <= count {
        let length = Int(word(at: position + 12))
        let name = memory[position + 16..<min(position + 16 + length, count)].prefix { $0 != 0 }
        let mask = Int32(truncatingIfNeeded: word(at: position + 4))
        let watched = Int32(bitPattern: word(at: position))
        if let event = event(mask, watched, String(decoding: name, as: UTF8.self)) { events.append(event) }
        position += 16 + length
      }
    }
  }

  private func event(_ mask: Int32, _ descriptor: Int32, _ name: String) -> EntryEvent? {
    // The directory itself has gone or moved, or the queue was too long for the kernel.
    let isGeneral = mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_Q_OVERFLOW | IN_UNMOUNT) != 0
    if isGeneral { return .finished }
    guard let watched = names[descriptor] else { return nil }
    guard watched.contains(name) || watched.contains(DirectoryEntry.anyName) else { return nil }
    if mask & IN_MODIFY != 0 { return .written }
    return mask & (IN_ATTRIB | IN_CREATE) != 0 ? .touched : .finished
  }

  private func word(at position: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(memory[position + $1]) << UInt32($1 * 8) }
  }
}
