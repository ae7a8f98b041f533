import Resources
import Runtime

/// Where the configuration comes from.
public enum ConfigurationSource: Sendable {
  /// A YAML file, followed when it changes.
  case file(String)
  /// One that is built in.
  case fixed(Configuration)

  /// Reads and validates the whole configuration. Blocks while a file is read: not on a worker.
  public func load() throws(ConfigurationSourceError) -> Configuration {
    switch self {
    case .fixed(let configuration):
      return configuration
    case .file(let path):
      let bytes: [UInt8]
      do throws(SystemError) {
        bytes = try FileContent.read(path)
      } catch {
        throw .unreadable(path: path, error.description)
      }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw .unreadable(path: path, "the file is not UTF-8 text")
      }
      do throws(ConfigurationErrors) {
        return try ConfigurationFile.load(text: text, path: path)
      } catch {
        throw .invalid(error)
      }
    }
  }

  /// The same, and reads the files that it names for TLS as well: everything that ``ControlPlane`` would
  /// refuse it for. Blocks while files are read: not on a worker.
  public func check() throws(ConfigurationSourceError) -> Configuration {
    let configuration = try load()
    let outcome = SecurityLoader.load(configuration, reading: .all, failing: .refuses)
    if !outcome.problems.isEmpty { throw .security(path: path, outcome.problems) }
    return configuration
  }

  /// Of the file; `nil` where there is none.
  var path: String? { if case .file(let path) = self { path } else { nil } }
}

/// Why there is no configuration.
public enum ConfigurationSourceError: Error, Sendable, CustomStringConvertible {
  /// The file cannot be read, and why.
  case unreadable(path: String, String)
  /// Everything that is wrong in it.
  case invalid(ConfigurationErrors)
  /// Everything that is wrong in the files that it names for TLS.
  case security(path: String?, [SecurityProblem])

  /// Lines that are shown; more files than these were not meant for this.
  static let linesMax = 1_000

  /// One line for each error: `penstock.yaml:12:5: …`, `penstock.yaml: certificates[0] (shop): …`.
  public var lines: [String] {
    switch self {
    case .unreadable(let path, let cause): ["\(path): \(cause)"]
    case .invalid(let errors):
      errors.errors.map(\.description) + Self.omission(of: errors.omitted)
    case .security(let path, let problems):
      problems.prefix(Self.linesMax).map { (path.map { $0 + ": " } ?? "") + $0.description }
        + Self.omission(of: problems.count - Self.linesMax)
    }
  }

  private static func omission(of count: Int) -> [String] { count > 0 ? ["… and \(count) more"] : [] }

  public var description: String { lines.joined(separator: "\n") }
}
