/// A configuration as a file holds it: YAML, with the vocabulary of docs/configuration.md.
public enum ConfigurationFile {
  /// Reads and validates a whole file that stands alone; defaults are filled in.
  ///
  /// Throws everything that is wrong, not only the first error. Pure, from any thread but a
  /// worker's: a large file takes longer than a worker may be kept.
  ///
  /// - Parameters:
  ///   - path: Names the file in errors; nothing is read from it.
  ///   - folder: Where relative paths in the file begin. Without it, the folder of `path`; give an
  ///     absolute one where the configuration outlives the working directory.
  ///   - plugins: Those that it may use.
  public static func load(
    text: String, path: String, folder: String? = nil, plugins: PluginCatalog = .empty
  ) throws(ConfigurationErrors) -> Configuration {
    let diagnostics = Diagnostics(path: path, folder: folder ?? Self.folder(of: path), plugins: plugins)
    let contents = try FileContents(text, diagnostics, path: path, isAlone: true)
    let catalogue = Catalogue()
    // The store may have certificates.
    catalogue.listenersNeedCertificates =
      contents.areCertificatesWhole && contents.settings.values.store == nil
    do throws(ResourceProblems) {
      _ = try catalogue.apply(contents.batch(revision: 0))
    } catch {
      contents.report(error, to: diagnostics)
    }
    if let errors = diagnostics.errors { throw errors }
    return catalogue.configuration(with: contents.settings.values)
  }

  /// What stands before the last slash; empty where there is none.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
