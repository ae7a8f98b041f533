/// A configuration as a file holds it: YAML, with the vocabulary of docs/configuration.md.
public enum ConfigurationFile {
  /// Reads and validates a whole file; defaults are filled in.
  ///
  /// Throws everything that is wrong, not only the first error. Pure, from any thread but a
  /// worker's: a large file takes longer than a worker may be kept.
  ///
  /// - Parameters:
  ///   - path: Names the file in errors; nothing is read from it.
  ///   - folder: Where relative paths in the file begin. Without it, the folder of `path`; give an
  ///     absolute one where the configuration outlives the working directory.
  public static func load(
    text: String, path: String, folder: String? = nil
  ) throws(ConfigurationErrors) -> Configuration {
    let root: YAMLNode
    do {
      root = try YAMLDocument.parse(text)
    } catch {
      throw ConfigurationErrors(errors: [
        ConfigurationError(
          path: path, line: error.position.line, column: error.position.column, keyPath: "",
          message: error.message, hint: error.hint)
      ])
    }
    let diagnostics = Diagnostics(path: path, folder: folder ?? Self.folder(of: path))
    let value = Value(node: root, place: .root, diagnostics: diagnostics)
    let configuration = ConfigurationReader(diagnostics: diagnostics).read(value)
    if let errors = diagnostics.errors { throw errors }
    return configuration
  }

  /// What stands before the last slash; empty where there is none.
  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
