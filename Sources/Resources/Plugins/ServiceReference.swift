/// A service that an option of a plugin names.
public struct ServiceReference: Sendable, Hashable {
  /// Of the option, within the plugin's: `rules[0].services[1].service`.
  public var path: String
  public var service: String
}

extension OptionValues {
  /// The services that options name, in the order of the options.
  var serviceReferences: [ServiceReference] {
    var references: [ServiceReference] = []
    collect(at: "", into: &references)
    return references
  }

  /// - prefix: What stands before the options' names: `rules[0].`
  fileprivate func collect(at prefix: String, into references: inout [ServiceReference]) {
    for (option, value) in givenOptions where option.type.mayNameServices {
      value.collect(option.type, at: prefix + option.name, into: &references)
    }
  }
}

extension OptionValue {
  fileprivate func collect(_ type: OptionType, at path: String, into references: inout [ServiceReference]) {
    switch (type, self) {
    case (.service, .text(let name)): references.append(ServiceReference(path: path, service: name))
    case (.list(let type, _), .list(let items)):
      for (index, item) in items.enumerated() {
        item.collect(type, at: "\(path)[\(index)]", into: &references)
      }
    case (.map(_, let type, _), .map(let entries)):
      for entry in entries { entry.value.collect(type, at: "\(path).\(entry.key)", into: &references) }
    case (.object, .object(let values)): values.collect(at: path + ".", into: &references)
    default: break
    }
  }
}

extension OptionType {
  /// Whether a value may hold the name of a service.
  fileprivate var mayNameServices: Bool {
    switch self {
    case .service: true
    case .list(let type, _), .map(_, let type, _): type.mayNameServices
    case .object(let options): options.contains { $0.type.mayNameServices }
    default: false
    }
  }
}
