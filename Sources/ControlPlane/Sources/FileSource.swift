import Plugins
import Resources
import Runtime
import TLS

/// The configuration's files: one, or those of a directory. Remembers what each held when it was taken
/// over, so that only those that have changed are read again.
struct FileSource: Sendable {
  enum Reading: Sendable {
    /// Files that `stat` says are as before are not read.
    case changed
    /// All files.
    case all
  }

  /// What a file held when it was taken over.
  fileprivate struct Known: Sendable {
    var signature: FileSignature?
    var hash: Int
    /// Nil where the file has none.
    var settings: FileSettings?
  }

  /// What has changed, to be put in place or refused as a whole.
  struct Change {
    /// Of the files that have changed, by their paths.
    fileprivate var contents: [FileContents] = []
    fileprivate var known: [String: Known] = [:]
    var batches: [ResourceBatch] = []
    var settings = Configuration()
    /// Certificates that are in the files themselves, by name.
    var inline: [String: TLSCertificate] = [:]
    /// The one that errors are told of which belong to no other.
    fileprivate var path: String

  }

  private let source: ConfigurationSource
  private var known: [String: Known] = [:]

  init(_ source: ConfigurationSource) { self.source = source }

  /// Blocks while files are read.
  ///
  /// - Parameter revision: of the change that this will be.
  func read(_ reading: Reading, revision: UInt64) throws(ConfigurationSourceError) -> Change {
    switch source {
    case .fixed(let configuration):
      var change = Change(path: "")
      change.settings = configuration.withoutResources
      change.batches = [ResourceBatch(builtIn: configuration, revision: revision)]
      return change
    case .file(let path): return try read(path, reading, revision)
    }
  }

  /// Takes note of a change that was put in place.
  mutating func keep(_ change: Change) { known = change.known }

  private func read(
    _ path: String, _ reading: Reading, _ revision: UInt64
  ) throws(ConfigurationSourceError) -> Change {
    let paths: [String]
    do throws(SystemError) {
      paths = try ConfigurationPaths.files(of: path)
    } catch {
      throw .unreadable(path: path, error.description)
    }
    guard !paths.isEmpty else {
      throw .unreadable(path: path, "the directory has no file whose name ends in .yaml or .yml")
    }
    var change = Change(path: path)
    var errors: [ConfigurationError] = []
    for path in paths {
      do throws(ConfigurationErrors) {
        try read(file: path, reading, revision, into: &change)
      } catch {
        errors += error.errors
      }
    }
    if !errors.isEmpty { throw .invalid(ConfigurationErrors(errors: errors)) }
    for gone in known.keys.sorted() where change.known[gone] == nil {
      change.batches.append(ResourceBatch(owner: .file(gone), revision: revision, isComplete: true))
    }
    do throws(ConfigurationErrors) {
      change.settings = try ConfigurationFiles.settings(of: paths.compactMap { change.known[$0]?.settings })
    } catch {
      throw .invalid(error)
    }
    do throws(ResourceProblems) {
      try change.readInlineCertificates()
    } catch {
      throw change.located(error)
    }
    return change
  }

  private func read(
    file path: String, _ reading: Reading, _ revision: UInt64, into change: inout Change
  ) throws(ConfigurationErrors) {
    let old = known[path]
    // Taken before the file is read, so that a change in between is noticed.
    let signature = FileSignature(path: path)
    if reading == .changed, let old, old.signature == signature {
      change.known[path] = old
      return
    }
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try FileContent.read(path)
    } catch {
      throw ConfigurationErrors(path, error.description)
    }
    let hash = FileContent.hash(bytes)
    if var old, old.hash == hash {
      old.signature = signature
      change.known[path] = old
      return
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationErrors(path, "the file is not UTF-8 text")
    }
    let contents = try read(text, path)
    change.contents.append(contents)
    change.known[path] = Known(
      signature: signature, hash: hash, settings: contents.settings.keys.isEmpty ? nil : contents.settings)
    change.batches.append(contents.batch(revision: revision))
  }
}

extension FileSource {
  private func read(_ text: String, _ path: String) throws(ConfigurationErrors) -> FileContents {
    do throws(ConfigurationErrors) {
      return try ConfigurationFiles.read(text: text, path: path, plugins: .standard)
    } catch {
      // Of a file that stands alone, what is wrong between its resources is told of as well.
      guard source == .file(path) else { throw error }
      _ = try ConfigurationFile.load(text: text, path: path, plugins: .standard)
      throw error
    }
  }
}

extension FileSource.Change {
  /// Problems between resources, with the places where they are written.
  func located(_ problems: ResourceProblems, _ catalogue: Catalogue = Catalogue()) -> ConfigurationSourceError
  {
    .invalid(ConfigurationFiles.locate(problems, in: contents, catalogue))
  }

  /// Files that the resources name for TLS, as they are now.
  var securityFiles: [String: FileSignature?] {
    var files: [String: FileSignature?] = [:]
    for put in batches.flatMap(\.puts) {
      for path in put.resource.materialNeeds.flatMap(\.key.paths) {
        files[path] = .some(FileSignature(path: path))
      }
    }
    return files
  }
}

extension Resource {
  /// What its TLS is made of.
  var materialNeeds: [MaterialNeed] {
    switch self {
    case .listener(let listener): MaterialNeed.all(of: listener)
    case .service(let service): MaterialNeed.all(of: service)
    case .certificate(let certificate): MaterialNeed.all(of: certificate)
    case .route, .consumer, .plugin: []
    }
  }
}

extension ResourceBatch {
  /// All resources of a configuration that is built in.
  init(builtIn configuration: Configuration, revision: UInt64) {
    self.init(owner: .builtIn, revision: revision)
    puts = configuration.listeners.map { Put(.listener($0)) }
    puts += configuration.certificates.map { Put(.certificate($0)) }
    puts += configuration.services.map { Put(.service($0)) }
    for (order, route) in configuration.routes.enumerated() {
      puts.append(Put(.route(route), order: UInt32(order)))
    }
    puts += configuration.consumers.map { Put(.consumer($0)) }
    puts += configuration.plugins.map { Put(.plugin($0)) }
  }
}

extension ConfigurationErrors {
  /// One error about a whole file.
  init(_ path: String, _ message: String) {
    self.init(errors: [ConfigurationError(path: path, line: 1, column: 1, keyPath: "", message: message)])
  }
}
