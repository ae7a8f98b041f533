/// Configuration as one file or several hold it, each read by itself: none has to be whole.
///
/// Everything here is pure, from any thread but a worker's.
public enum ConfigurationFiles {
  /// Reads one file. Its resources are not checked against others, nor against each other.
  ///
  /// Throws everything that is wrong, not only the first error.
  ///
  /// - Parameters:
  ///   - path: Names the file in errors, and owns its resources; nothing is read from it.
  ///   - folder: Where relative paths in the file begin. Without it, the folder of `path`.
  ///   - plugins: Those that it may use.
  public static func read(
    text: String, path: String, folder: String? = nil, plugins: PluginCatalog = .empty
  ) throws(ConfigurationErrors) -> FileContents {
    let diagnostics = Diagnostics(
      path: path, folder: folder ?? ConfigurationFile.folder(of: path), plugins: plugins)
    let contents = try FileContents(text, diagnostics, path: path, isAlone: false)
    if let errors = diagnostics.errors { throw errors }
    return contents
  }

  /// The settings of all files together, without resources; each setting may be in one file only.
  public static func settings(of files: [FileSettings]) throws(ConfigurationErrors) -> Configuration {
    var settings = Configuration()
    var owners: [String: (path: String, position: SourcePosition)] = [:]
    var errors: [ConfigurationError] = []
    for file in files {
      for (key, position) in file.keys.sorted(by: { $0.key < $1.key }) {
        if let other = owners[key] {
          errors.append(
            ConfigurationError(
              path: file.path, line: Int(position.line), column: Int(position.column), keyPath: key,
              message: "\(key) is already at \(other.path):\(other.position.line):\(other.position.column)",
              hint: "each setting is in one file only"))
          continue
        }
        owners[key] = (file.path, position)
        settings.take(key, from: file.values)
      }
    }
    guard errors.isEmpty else { throw ConfigurationErrors(errors: errors) }
    return settings
  }

  /// What the catalogue found wrong with files, at the places in them.
  ///
  /// - Parameters:
  ///   - files: Those that were read for the change.
  ///   - catalogue: Knows where resources of other files begin.
  public static func locate(
    _ problems: ResourceProblems, in files: [FileContents], _ catalogue: Catalogue
  ) -> ConfigurationErrors {
    // Only where there are several, so that the whole is not searched for each.
    var owners: [ResourceID: Int] = [:]
    for (index, file) in files.enumerated() {
      for put in file.puts { owners[put.resource.id] = owners[put.resource.id] ?? index }
    }
    let plain = problems.plain.compactMap(ResourceProblems.Finding.init)
    var errors = (plain + problems.findings).map { finding in
      error(of: finding, in: files, owners, catalogue)
    }
    errors.sort { ($0.path, $0.line, $0.column) < ($1.path, $1.line, $1.column) }
    return ConfigurationErrors(errors: errors, omitted: problems.omitted)
  }

  private static func error(
    of finding: ResourceProblems.Finding, in files: [FileContents], _ owners: [ResourceID: Int],
    _ catalogue: Catalogue
  ) -> ConfigurationError {
    // A name that two of the files have is wrong in the one that the batch with the finding is of.
    let file =
      finding.owner.flatMap { owner in files.first { .file($0.path) == owner && $0.has(finding.id) } }
      ?? owners[finding.id].map { files[$0] }
    let place = { (id: ResourceID, field: String) -> String? in
      guard let index = owners[id], let position = files[index].position(id, field) else { return nil }
      let path = files[index].path == file?.path ? "" : files[index].path + ":"
      return " at \(path)\(position.line):\(position.column)"
    }
    if let error = file?.locate(finding, place) { return error }
    let item = catalogue.item(finding.id)
    var path = files.first?.path ?? ""
    if case .file(let owner)? = item?.owner { path = owner }
    let position = item?.position ?? SourcePosition(line: 1, column: 1)
    return ConfigurationError(
      path: path, line: Int(position.line), column: Int(position.column),
      keyPath: finding.id.description + (finding.field.isEmpty ? "" : "." + finding.field),
      message: finding.message(place), hint: finding.hint)
  }
}

extension ResourceProblems.Finding {
  /// Nil where no resource is named.
  fileprivate init?(_ problem: ResourceProblem) {
    guard let id = problem.id else { return nil }
    self.init(id: id, field: problem.field, parts: [.text(problem.message)], hint: problem.hint)
  }
}

extension Configuration {
  fileprivate mutating func take(_ key: String, from other: Configuration) {
    switch key {
    case "workers": workers = other.workers
    case "admin": admin = other.admin
    case "store": store = other.store
    case "http": http = other.http
    default: accessLog = other.accessLog
    }
  }
}
