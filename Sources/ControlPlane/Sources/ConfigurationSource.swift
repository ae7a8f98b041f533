import Resources
import Runtime

/// Where the configuration comes from.
public enum ConfigurationSource: Sendable, Equatable {
  /// A YAML file, or a directory of them, followed when it changes.
  case file(String)
  /// One that is built in.
  case fixed(Configuration)

  /// Reads everything, and the files that it names for TLS as well: all that ``ControlPlane`` would refuse
  /// it for, save for what the store holds. Blocks while files are read: not on a worker.
  public func check() throws(ConfigurationSourceError) -> Configuration {
    let change = try FileSource(self).read(.all, revision: 1)
    let catalogue = Catalogue()
    catalogue.adminAddress = change.settings.admin?.address
    catalogue.listenersNeedCertificates = change.settings.store == nil
    do throws(ResourceProblems) {
      _ = try catalogue.apply(change.batches)
    } catch {
      throw change.located(error)
    }
    var pass = FilePass()
    var desk = SecurityDesk()
    let problems = desk.check(change.batches.flatMap(\.puts).map(\.resource), change.inline, &pass)
    if !problems.isEmpty { throw change.located(ResourceProblems(problems)) }
    guard change.settings.store != nil || catalogue.count(.listeners) > 0 else {
      throw .noListener(path: path)
    }
    return catalogue.configuration(with: change.settings)
  }

  /// Of the file; `nil` where there is none.
  var path: String? { if case .file(let path) = self { path } else { nil } }
}

/// Why there is no configuration.
public enum ConfigurationSourceError: Error, Sendable, CustomStringConvertible {
  /// A file, or the directory, cannot be read, and why.
  case unreadable(path: String, String)
  /// Everything that is wrong in the files, and in those that they name for TLS.
  case invalid(ConfigurationErrors)
  /// The store cannot be opened or read.
  case store(String)
  /// Nobody has any.
  case noListener(path: String?)

  /// One line for each error: `penstock.yaml:12:5: …`.
  public var lines: [String] {
    switch self {
    case .unreadable(let path, let cause): ["\(path): \(cause)"]
    case .invalid(let errors):
      errors.errors.map(\.description) + (errors.omitted > 0 ? ["… and \(errors.omitted) more"] : [])
    case .store(let cause): [cause]
    case .noListener(let path):
      [
        (path.map { $0 + ":1:1: " } ?? "") + "\"listeners\" is missing: such as "
          + "listeners: [{name: web, address: \":8080\"}]"
      ]
    }
  }

  public var description: String { lines.joined(separator: "\n") }
}
