import Foundation

/// A folder of one test's own, removed with it.
final class TestFolder: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "penstock-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func path(_ name: String) -> String { path + "/" + name }

  /// Writes into the file itself, as `cat >` does.
  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
  }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
  }

  func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
  }

  /// Renames over what may be there.
  func rename(_ old: String, to new: String) throws {
    guard unsafe Glibc.rename(path(old), path(new)) == 0 else { throw POSIXError(.EIO) }
  }

  func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }
}
