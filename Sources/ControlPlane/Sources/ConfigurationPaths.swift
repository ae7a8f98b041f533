import Glibc
import Runtime

/// Which files a configuration path stands for: the file itself, or the YAML files of a directory.
///
/// Of a directory, names that end in `.yaml` or `.yml` count and those that begin with a dot do not,
/// so that editors' and mounts' own files are passed over. Folders in it are not entered.
enum ConfigurationPaths {
  /// More is a mistake in the path.
  static let filesMax = 100_000

  static func isDirectory(_ path: String) -> Bool {
    var information = stat()
    // stat reads the string and fills in the structure, during the call.
    return unsafe stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
  }

  /// By name, so that the order of files is the same everywhere.
  static func files(of path: String) throws(SystemError) -> [String] {
    guard isDirectory(path) else { return [path] }
    // The stream is closed below; entries are copied before the next is read.
    guard let stream = unsafe opendir(path) else { throw SystemError(errno) }
    defer { unsafe _ = closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if isConfiguration(name) { names.append(name) }
      guard names.count <= filesMax else { throw SystemError(EFBIG) }
    }
    let folder = path.hasSuffix("/") ? path : path + "/"
    return names.sorted().map { folder + $0 }
  }

  private static func isConfiguration(_ name: String) -> Bool {
    !name.hasPrefix(".") && (name.hasSuffix(".yaml") || name.hasSuffix(".yml"))
  }
}
