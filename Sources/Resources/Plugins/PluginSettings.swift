/// A kind of plugin, and what one use of it is set to. A plugin's own type conforms to this.
///
/// Immutable, from any thread. What a worker makes of it is the data plane's (`RunnablePlugin`).
public protocol PluginSettings: Sendable {
  /// As configurations name it: `key-auth`.
  static var name: String { get }
  /// One sentence, for schemas and documentation.
  static var summary: String { get }
  /// The higher run first, as with Kong and APISIX; the numbers are Kong's where Kong has the plugin.
  static var priority: Int { get }
  static var options: [PluginOption] { get }
  /// Whether no request gets past it to a service: a route that has it needs none.
  var answersAlways: Bool { get }
  /// Whether it is asked about connections. Then it can be set for everything only: a connection has no route yet.
  var seesConnections: Bool { get }
  /// How consumers say who they are to it; nil where the plugin does not ask.
  static var credentials: CredentialKind? { get }

  /// Takes values that are of their options' types. Throws what is wrong between several of them, or cannot
  /// be said by a type.
  init(_ values: OptionValues) throws(OptionProblem)
}

extension PluginSettings {
  public static var credentials: CredentialKind? { nil }
  public var answersAlways: Bool { false }
  public var seesConnections: Bool { false }
}

/// What is wrong with an option.
public struct OptionProblem: Error, Sendable {
  /// `limits[0].window`; empty where all of them together are meant.
  public var path: String
  public var message: String
  /// What would be right.
  public var hint: String?

  public init(_ path: String, _ message: String, hint: String? = nil) {
    self.path = path
    self.message = message
    self.hint = hint
  }
}

/// What consumers show to a plugin that asks who they are.
public struct CredentialKind: Sendable {
  public var options: [PluginOption]
  public var make: @Sendable (OptionValues) throws(OptionProblem) -> Credential

  public init(
    _ options: [PluginOption], make: @escaping @Sendable (OptionValues) throws(OptionProblem) -> Credential
  ) {
    self.options = options
    self.make = make
  }
}

/// One credential of a consumer.
public struct Credential: Sendable {
  /// What it is found by: no two consumers have the same for one plugin.
  public var lookup: [UInt8]
  /// What is kept of it and shown: a digest where the secret itself need not be known.
  public var kept: OptionValues
  /// What the plugin makes of it.
  public var content: any Sendable

  public init(lookup: [UInt8], kept: OptionValues, content: any Sendable) {
    self.lookup = lookup
    self.kept = kept
    self.content = content
  }
}

/// The kinds of plugins that there are.
public struct PluginCatalog: Sendable {
  /// In the order in which they run.
  public let kinds: [any PluginSettings.Type]
  private let byName: [String: any PluginSettings.Type]

  public init(_ kinds: [any PluginSettings.Type]) {
    self.kinds = kinds.sorted { ($1.priority, $0.name) < ($0.priority, $1.name) }
    byName = Dictionary(uniqueKeysWithValues: kinds.map { ($0.name, $0) })
  }

  /// None: for readers of resources that have no plugins.
  public static let empty = PluginCatalog([])

  public subscript(name: String) -> (any PluginSettings.Type)? { byName[name] }
}

/// A use of a plugin by a route, a service, a consumer, or by everything.
public struct PluginAttachment: Sendable, Equatable {
  public var name: String
  /// `false` where a wider setting is switched off here.
  public var isEnabled: Bool
  public let values: OptionValues
  public var settings: any PluginSettings
  /// The services that the options name, which have to exist, also where the plugin is not enabled.
  public let serviceReferences: [ServiceReference]
  /// See ``PluginSettings/priority``.
  public var priority: Int { type(of: settings).priority }

  init(name: String, isEnabled: Bool, values: OptionValues, settings: any PluginSettings) {
    self.name = name
    self.isEnabled = isEnabled
    self.values = values
    self.settings = settings
    serviceReferences = values.serviceReferences
  }

  /// The settings follow from the rest.
  public static func == (a: PluginAttachment, b: PluginAttachment) -> Bool {
    a.name == b.name && a.isEnabled == b.isEnabled && a.values == b.values
  }

  var written: WrittenValue {
    guard !isEnabled, case .mapping(let entries) = values.written else { return values.written }
    return .mapping([.init(key: "enabled", value: .word("false"))] + entries)
  }
}
