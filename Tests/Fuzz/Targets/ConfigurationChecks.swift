import Resources

/// Configuration files.
///
/// - What loads comes back equal from its YAML and from its JSON, and both are always the same.
/// - What does not load says where: errors lie within the text, and are the same each time.
enum ConfigurationChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    guard let text = String(validating: input, as: UTF8.self) else { return }
    let configuration: Configuration
    do throws(ConfigurationErrors) {
      configuration = try ConfigurationFile.load(text: text, path: "a.yaml")
    } catch {
      return try check(error, text)
    }
    for written in [configuration.yaml, configuration.json] {
      let again: Configuration
      do throws(ConfigurationErrors) {
        again = try ConfigurationFile.load(text: written, path: "b.yaml")
      } catch { throw BrokenProperty("written as\n\(written)\nit is refused: \(error)") }
      try require(again == configuration, "written as\n\(written)\nit comes back as\n\(again.yaml)")
      try require(again.yaml == configuration.yaml, "written twice it is different")
    }
  }

  private static func check(_ errors: ConfigurationErrors, _ text: String) throws(BrokenProperty) {
    try require(!errors.errors.isEmpty, "refused without a reason")
    // The breaks of YAML 1.1; CR LF counts twice here, which is more than enough.
    let breaks: Set<Unicode.Scalar> = ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"]
    let lines = text.unicodeScalars.count { breaks.contains($0) } + 1
    for error in errors.errors {
      try require(1...(lines + 1) ~= error.line, "line \(error.line) of \(lines): \(error)")
      try require(error.column >= 1, "column \(error.column): \(error)")
      try require(!error.message.isEmpty, "an error without a message")
    }
    do throws(ConfigurationErrors) {
      _ = try ConfigurationFile.load(text: text, path: "a.yaml")
    } catch {
      return try require(error.description == errors.description, "refused for other reasons: \(error)")
    }
    throw BrokenProperty("refused, then taken")
  }
}
