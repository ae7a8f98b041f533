/// A configuration as a file holds it: YAML, with the vocabulary of docs/configuration.md.
public enum ConfigurationFile {
  /// Reads and validates a whole file; defaults are filled in.
  ///
  /// Throws everything that is wrong, not only the first error. Pure, from any thread but a
  /// worker's: a large file takes longer than a worker may be kept.
  ///
  /// - Parameter path: Names the file in errors; nothing is read from it.
  public static func load(text: String, path: String) throws(ConfigurationErrors) -> Configuration {
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
    let diagnostics = Diagnostics(path: path)
    let value = Value(node: root, place: .root, diagnostics: diagnostics)
    let configuration = ConfigurationReader(diagnostics: diagnostics).read(value)
    if let errors = diagnostics.errors { throw errors }
    return configuration
  }
}
