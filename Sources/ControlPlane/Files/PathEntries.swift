import Glibc

/// A name in a directory.
struct DirectoryEntry: Hashable {
  /// Stands for every name in a directory.
  static let anyName = ""

  var directory: String
  var name: String
}

/// The directory entries that decide what a path leads to: its own, and those of every symbolic
/// link on the way.
///
/// A Kubernetes ConfigMap is updated by replacing the link `..data` beside the file, and releases
/// are switched by replacing a link to their folder; the file's own entry does not change then.
enum PathEntries {
  /// As the kernel's own limit; more is a loop.
  static let linksMax = 40

  static func of(_ path: String) -> [DirectoryEntry] {
    var found: [DirectoryEntry] = []
    var pending = Array(parts(of: absolute(path)).reversed())
    var directory = ""
    var links = 0
    while let name = pending.popLast() {
      if name == ".." {
        directory = parent(of: directory)
        continue
      }
      let entry = DirectoryEntry(directory: directory.isEmpty ? "/" : directory, name: name)
      let full = directory + "/" + name
      if let target = linkTarget(of: full) {
        found.append(entry)
        links += 1
        guard links <= linksMax else { return found }
        if target.hasPrefix("/") { directory = "" }
        pending.append(contentsOf: parts(of: target).reversed())
      } else if pending.isEmpty || !exists(full) {
        // The file itself, or the first name that is missing and may come.
        found.append(entry)
        return found
      } else {
        directory = full
      }
    }
    return found
  }

  /// Those of a directory and of everything in it. Links in it are not followed: a mount replaces
  /// `..data` beside them when what they lead to changes.
  static func ofDirectory(_ path: String) -> [DirectoryEntry] {
    of(path) + [DirectoryEntry(directory: absolute(path), name: DirectoryEntry.anyName)]
  }

  /// Those of many paths. A folder that several have in common is looked at once.
  static func of(_ paths: some Sequence<String>) -> Set<DirectoryEntry> {
    var found: Set<DirectoryEntry> = []
    var folders: Set<String> = []
    for path in paths {
      let path = absolute(path)
      guard let slash = path.lastIndex(of: "/"), path.index(after: slash) != path.endIndex else { continue }
      let folder = slash == path.startIndex ? "/" : String(path[..<slash])
      if folders.insert(folder).inserted { found.formUnion(of(folder)) }
      // The kernel follows the links in the folder's path by itself.
      found.insert(DirectoryEntry(directory: folder, name: String(path[path.index(after: slash)...])))
      if linkTarget(of: path) != nil { found.formUnion(of(path)) }
    }
    return found
  }

  private static func parts(of path: String) -> [String] {
    path.split(separator: "/").filter { $0 != "." }.map(String.init)
  }

  private static func parent(of directory: String) -> String {
    guard let slash = directory.lastIndex(of: "/") else { return "" }
    return String(directory[..<slash])
  }

  private static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    // getcwd allocates the string, which is freed here.
    guard let current = unsafe getcwd(nil, 0) else { return "/" + path }
    defer { unsafe free(current) }
    return unsafe String(cString: current) + "/" + path
  }

  private static func exists(_ path: String) -> Bool {
    // access reads the string during the call.
    unsafe access(path, F_OK) == 0
  }

  /// `nil` for anything but a symbolic link.
  private static func linkTarget(of path: String) -> String? {
    var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
    // readlink writes at most the array's length into it, during the call.
    let count = unsafe target.withUnsafeMutableBytes {
      unsafe readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return count > 0 ? String(decoding: target[..<count], as: UTF8.self) : nil
  }
}
