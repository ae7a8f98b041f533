/// Collects what is wrong while a file is read, and knows where the file is.
final class Diagnostics {
  /// Comparisons for suggestions: a file full of wrong names must not cost names × names.
  static let comparisonsMax = 200_000

  /// Where relative paths in the file begin; empty: nowhere, they stay as they are.
  let folder: String
  /// Those that resources may use.
  let plugins: PluginCatalog
  private let path: String
  private var found: [ConfigurationError] = []
  private var omitted = 0
  private var comparisonsLeft = Diagnostics.comparisonsMax

  init(path: String, folder: String, plugins: PluginCatalog) {
    self.path = path
    self.folder = folder
    self.plugins = plugins
  }

  /// Errors so far: where it has not changed, what was read in between is whole.
  var count: Int { found.count + omitted }

  func report(_ message: String, hint: String?, at position: Position, place: Place) {
    guard found.count < ConfigurationErrors.countMax else {
      omitted += 1
      return
    }
    report(
      ConfigurationError(
        path: path, line: position.line, column: position.column, keyPath: place.description,
        message: message, hint: hint))
  }

  func report(_ error: ConfigurationError) {
    if found.count < ConfigurationErrors.countMax { found.append(error) } else { omitted += 1 }
  }

  /// Errors that nobody has kept.
  func omit(_ count: Int) { omitted += count }

  /// The nearest of `candidates`, as long as there is time for it.
  func suggestion(for word: String, among candidates: some Collection<String>) -> String? {
    guard comparisonsLeft >= candidates.count else { return nil }
    comparisonsLeft -= candidates.count
    return Suggestion.nearest(to: word, among: candidates)
  }

  /// Everything reported, in the order of the file; `nil` if there is nothing.
  var errors: ConfigurationErrors? {
    guard !found.isEmpty else { return nil }
    // Sorting by place keeps the order of errors at the same place.
    let sorted = found.enumerated().sorted { a, b in
      (a.element.line, a.element.column, a.offset) < (b.element.line, b.element.column, b.offset)
    }
    return ConfigurationErrors(errors: sorted.map(\.element), omitted: omitted)
  }
}

/// The way from the root to a value. Its text is only made for errors.
indirect enum Place: CustomStringConvertible {
  case root
  case key(String, Place)
  case index(Int, Place)

  var description: String {
    switch self {
    case .root: ""
    case .key(let key, .root): Place.shown(key)
    case .key(let key, let parent): parent.description + "." + Place.shown(key)
    case .index(let index, let parent): parent.description + "[\(index)]"
    }
  }

  /// A field behind this one, as problems name it: `limits[0].window`.
  func appending(_ field: String) -> Place {
    var place = self
    for part in field.split(whereSeparator: { $0 == "." || $0 == "[" }) {
      if part.hasSuffix("]"), let index = Int(part.dropLast()) {
        place = .index(index, place)
      } else {
        place = .key(String(part), place)
      }
    }
    return place
  }

  /// Keys that would make the path unreadable are quoted.
  private static func shown(_ key: String) -> String {
    let isPlain =
      !key.isEmpty && key.utf8.count <= 120 && key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2E }
    return isPlain ? key : quoted(key)
  }
}
