/// Who calls: a person, a program or a partner, who shows credentials to plugins that ask for them.
public struct Consumer: Sendable, Equatable {
  public var name: String
  /// What others call it, such as a customer's number; it goes to endpoints. `nil`: nothing goes.
  public var customID: String?
  /// What it belongs to, for plugins that go by groups.
  public var groups: [String] = []
  public var credentials: [ConsumerCredential] = []
  /// In the order in which they run, for its requests: each takes the place of the route's and of wider ones.
  public var plugins: [PluginAttachment] = []

  public init(name: String) { self.name = name }
}

/// What a consumer shows to one kind of plugin.
public struct ConsumerCredential: Sendable, Equatable {
  /// The plugin's name.
  public var plugin: String
  public var credential: Credential

  public init(plugin: String, credential: Credential) {
    self.plugin = plugin
    self.credential = credential
  }

  /// The rest follows from what is kept.
  public static func == (a: ConsumerCredential, b: ConsumerCredential) -> Bool {
    a.plugin == b.plugin && a.credential.lookup == b.credential.lookup
      && a.credential.kept == b.credential.kept
  }
}

/// A plugin that all requests meet which find a route.
public struct GlobalPlugin: Sendable, Equatable {
  public var attachment: PluginAttachment

  public init(_ attachment: PluginAttachment) { self.attachment = attachment }

  /// The plugin's own.
  public var name: String { attachment.name }
}
