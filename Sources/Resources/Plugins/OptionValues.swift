/// The values of a plugin's options, checked one by one; what is not given has its default.
///
/// Asking for an option that was not declared, or as another type than it was declared with, is a fault of
/// the program and ends it: every plugin's tests read all of its options.
public struct OptionValues: Sendable, Equatable {
  private let options: [PluginOption]
  private var given: [OptionEntry] = []

  public init(_ options: [PluginOption]) { self.options = options }

  public static func == (a: OptionValues, b: OptionValues) -> Bool { a.given == b.given }

  /// Sets what stands for an option from now on.
  public mutating func set(_ name: String, _ value: OptionValue) {
    remove(name)
    given.append(OptionEntry(key: name, value: value))
  }

  /// Forgets what an option was given.
  public mutating func remove(_ name: String) { given.removeAll { $0.key == name } }

  /// Whether it is given, and not only by default.
  public func isGiven(_ name: String) -> Bool { given.contains { $0.key == name } }

  /// Options that are given, in the order in which they are declared.
  var givenOptions: [(option: PluginOption, value: OptionValue)] {
    options.compactMap { option in given.first { $0.key == option.name }.map { (option, $0.value) } }
  }

  private func value(_ name: String) -> OptionValue? {
    if let entry = given.first(where: { $0.key == name }) { return entry.value }
    guard let option = options.first(where: { $0.name == name }) else {
      preconditionFailure("there is no option \(name)")
    }
    return option.standard
  }

  private func misread(_ name: String) -> Never { preconditionFailure("\(name) is of another type") }

  public func flag(_ name: String) -> Bool {
    guard case .flag(let flag)? = value(name) else { misread(name) }
    return flag
  }

  public func integer(_ name: String) -> Int? {
    switch value(name) {
    case nil: return nil
    case .integer(let number): return number
    default: misread(name)
    }
  }

  /// In millionths of the whole.
  public func share(_ name: String) -> Int? {
    switch value(name) {
    case nil: return nil
    case .share(let share): return share
    default: misread(name)
    }
  }

  public func text(_ name: String) -> String? {
    switch value(name) {
    case nil: return nil
    case .text(let text): return text
    default: misread(name)
    }
  }

  public func duration(_ name: String) -> Duration? {
    switch value(name) {
    case nil: return nil
    case .duration(let duration): return duration
    default: misread(name)
    }
  }

  public func size(_ name: String) -> UInt64? {
    switch value(name) {
    case nil: return nil
    case .size(let size): return size
    default: misread(name)
    }
  }

  public func texts(_ name: String) -> [String] {
    list(name).map { item in
      guard case .text(let text) = item else { misread(name) }
      return text
    }
  }

  public func networks(_ name: String) -> [Network] {
    list(name).map { item in
      guard case .network(let network) = item else { misread(name) }
      return network
    }
  }

  public func integers(_ name: String) -> [Int] {
    list(name).map { item in
      guard case .integer(let number) = item else { misread(name) }
      return number
    }
  }

  public func objects(_ name: String) -> [OptionValues] {
    list(name).map { item in
      guard case .object(let values) = item else { misread(name) }
      return values
    }
  }

  public func object(_ name: String) -> OptionValues? {
    switch value(name) {
    case nil: return nil
    case .object(let values): return values
    default: misread(name)
    }
  }

  /// Texts by free keys, in their order.
  public func pairs(_ name: String) -> [(key: String, text: String)] {
    switch value(name) {
    case nil: return []
    case .map(let entries):
      return entries.map { entry in
        guard case .text(let text) = entry.value else { misread(name) }
        return (entry.key, text)
      }
    default: misread(name)
    }
  }

  private func list(_ name: String) -> [OptionValue] {
    switch value(name) {
    case nil: return []
    case .list(let items): return items
    default: misread(name)
    }
  }

  // MARK: Writing

  /// As a document: what is given, in the order of the options.
  var written: WrittenValue {
    .mapping(givenOptions.map { .init(key: $0.option.name, value: $0.value.written) })
  }

  /// The same as compact JSON.
  public var json: String { written.json }
}

extension OptionValue {
  /// As it is written in a document: `5s`.
  public var text: String {
    switch written {
    case .text(let text), .word(let text): text
    default: written.json
    }
  }

  var written: WrittenValue {
    switch self {
    case .flag(let flag): .word(flag ? "true" : "false")
    case .integer(let number): .word("\(number)")
    case .share(let share): .text(ShareText.format(share))
    case .text(let text): .text(text)
    case .duration(let duration): .word(DurationText.format(duration))
    case .size(let size): .word(SizeText.format(size))
    case .network(let network): .text(network.text)
    case .list(let items):
      items.contains(where: \.isNested) ? .list(items.map(\.written)) : .flowList(items.map(\.written))
    case .map(let entries): .mapping(entries.map { .init(key: $0.key, value: $0.value.written) })
    case .object(let values): values.written
    }
  }

  private var isNested: Bool {
    switch self {
    case .object, .map: true
    default: false
    }
  }
}
