/// Settings of the process, as one file has them.
public struct FileSettings: Sendable {
  public let path: String
  /// Defaults where ``keys`` has none of it. Without resources.
  public let values: Configuration
  /// Which settings the file has, with their places: `admin`, `http`, ….
  public let keys: [String: SourcePosition]
}

/// What one file says: settings of the process and resources, not yet checked against each other.
///
/// Holds the file's whole document, so that problems can be shown at their places: drop it when the
/// resources are applied. Immutable; from any thread but a worker's.
public struct FileContents: Sendable {
  public let path: String
  public let settings: FileSettings
  /// In the order of the file within each kind.
  public let puts: [ResourceBatch.Put]
  let areCertificatesWhole: Bool
  private let written: [ResourceID: FileReader.Written]
  private let incomparable: Set<ResourceID>

  /// Throws only where the text is no document; other errors are in `diagnostics`, and the contents are
  /// what could be read.
  ///
  /// - isAlone: Whether it is the only file, and so needs a listener.
  init(
    _ text: String, _ diagnostics: Diagnostics, path: String, isAlone: Bool
  ) throws(ConfigurationErrors) {
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
    let value = Value(node: root, place: .root, diagnostics: diagnostics)
    var reader = FileReader(diagnostics)
    var settings = Configuration()
    var settingKeys: [String: SourcePosition] = [:]
    if let mapping = MappingReader(value, keys: ConfigurationReader.keys) {
      reader.read(mapping, needsListeners: isAlone)
      // Where there are several files, the catalogue knows the listeners.
      let listeners = isAlone ? reader.listeners : []
      settings = ConfigurationReader.readSettings(mapping, listeners: listeners)
      settingKeys = Self.settings(of: root)
    }
    self.path = path
    self.settings = FileSettings(path: path, values: settings, keys: settingKeys)
    puts = reader.puts
    areCertificatesWhole = reader.areCertificatesWhole
    written = reader.written
    incomparable = reader.incomparable
  }

  private static func settings(of root: YAMLNode) -> [String: SourcePosition] {
    guard case .mapping(let entries) = root.content else { return [:] }
    let settings = entries.filter { ConfigurationReader.settingKeys.contains($0.key) }
    return Dictionary(settings.map { ($0.key, SourcePosition($0.keyPosition)) }) { first, _ in first }
  }

  /// Everything that the file has, in place of what it had.
  public func batch(revision: UInt64) -> ResourceBatch {
    ResourceBatch(owner: .file(path), revision: revision, puts: puts, isComplete: true)
  }

  // MARK: Places

  /// Whether a resource is in the file.
  public func has(_ id: ResourceID) -> Bool { written[id] != nil }

  /// A finding at its place; nil where its resource is not in this file.
  func locate(
    _ finding: ResourceProblems.Finding, _ place: (ResourceID, String) -> String?
  ) -> ConfigurationError? {
    guard let resource = written[finding.id] else { return nil }
    let field = FieldPlace(finding.field, in: resource.node)
    let position = field.node.position
    return ConfigurationError(
      path: path, line: position.line, column: position.column,
      keyPath: resource.keyPath + (field.field.isEmpty ? "" : "." + field.field),
      message: finding.message(place), hint: finding.hint)
  }

  /// Line and column of a field, where its resource is in this file.
  func position(_ id: ResourceID, _ field: String) -> Position? {
    written[id].map { FieldPlace(field, in: $0.node).node.position }
  }

  /// Adds what the catalogue finds to what the readers have found.
  func report(_ problems: ResourceProblems, to diagnostics: Diagnostics) {
    for finding in problems.findings {
      // Routes whose conditions could not be read only seem to be the same as others.
      if finding.isAboutConditions, finding.ids.contains(where: incomparable.contains) { continue }
      let error = locate(finding) { id, field in
        position(id, field).map { " at \($0.line):\($0.column)" }
      }
      if let error { diagnostics.report(error) }
    }
    diagnostics.omit(problems.omitted)
  }
}

extension ResourceProblems.Finding {
  /// The resource, and others that the message names with their places.
  fileprivate var ids: [ResourceID] {
    [id]
      + parts.compactMap { part in
        if case .place(let id, _, _) = part { return id }
        return nil
      }
  }
}
