/// One thing that is wrong in a configuration file, for the person who has to put it right.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file, as it was named to ``ConfigurationFile/load(text:path:)``.
  public var path: String
  /// Counts from 1.
  public var line: Int
  /// Counts from 1, in Unicode scalars.
  public var column: Int
  /// Such as `services[0].balance`; empty where the whole file is meant.
  public var keyPath: String
  public var message: String
  /// What would be right, where that is known.
  public var hint: String?

  public init(path: String, line: Int, column: Int, keyPath: String, message: String, hint: String? = nil) {
    self.path = path
    self.line = line
    self.column = column
    self.keyPath = keyPath
    self.message = message
    self.hint = hint
  }

  /// `penstock.yaml:12:5: services[0].balance: unknown value "x": one of round-robin, …`
  public var description: String {
    let place = "\(path):\(line):\(column): "
    let key = keyPath.isEmpty ? "" : keyPath + ": "
    return place + key + message + (hint.map { ": " + $0 } ?? "")
  }
}

/// Everything that is wrong in a configuration file, in the order of the file.
public struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
  /// Errors that are kept; a file with more was not meant to be a configuration.
  public static let countMax = 1_000

  /// At least one.
  public var errors: [ConfigurationError]
  /// Errors beyond ``countMax`` that are not listed.
  public var omitted: Int

  public init(errors: [ConfigurationError], omitted: Int = 0) {
    self.errors = errors
    self.omitted = omitted
  }

  /// One line for each error.
  public var description: String {
    var lines = errors.map(\.description)
    if omitted > 0 { lines.append("… and \(omitted) more") }
    return lines.joined(separator: "\n")
  }
}
