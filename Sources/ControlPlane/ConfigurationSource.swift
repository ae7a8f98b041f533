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
}

/// Why there is no configuration.
public enum ConfigurationSourceError: Error, Sendable, CustomStringConvertible {
  /// The file cannot be read, and why.
  case unreadable(path: String, String)
  /// Everything that is wrong in it.
  case invalid(ConfigurationErrors)

  /// One line for each error: `penstock.yaml:12:5: …`.
  public var lines: [String] {
    switch self {
    case .unreadable(let path, let cause): ["\(path): \(cause)"]
    case .invalid(let errors):
      errors.errors.map(\.description) + (errors.omitted > 0 ? ["… and \(errors.omitted) more"] : [])
    }
  }

  public var description: String { lines.joined(separator: "\n") }
}
