/// What refers to services, by the services' numbers: routes by their backends and plugins, services, consumers
/// and what is for all requests by their plugins.
struct ServiceUsers {
  /// By the rank of the kind that refers, and then by service.
  private var users = [[Users]](repeating: [], count: ResourceKind.allCases.count)

  /// Numbers of those of a kind that refer to a service.
  func users(of service: Int, _ kind: ResourceKind) -> Users {
    service < users[kind.rank].count ? users[kind.rank][service] : .none
  }

  mutating func insert(_ user: Int, _ kind: ResourceKind, service: Int) {
    while users[kind.rank].count <= service { users[kind.rank].append(.none) }
    users[kind.rank][service].insert(user)
  }

  mutating func remove(_ user: Int, _ kind: ResourceKind, service: Int) {
    guard service < users[kind.rank].count else { return }
    users[kind.rank][service].remove(user)
  }

  /// For tests.
  var dump: [String] {
    ResourceKind.allCases.flatMap { kind in
      users[kind.rank].indices.filter { users[kind.rank][$0].count > 0 }.map {
        "service \($0) \(kind) \(users[kind.rank][$0].numbers.sorted())"
      }
    }
  }
}

/// Services that plugins name.
extension Catalogue {
  func linkPlugins<Value: CatalogueValue>(_ entry: CatalogueEntry<Value>) {
    forEachService(of: entry) { links.services.insert(entry.number, Value.kind, service: $0) }
  }

  func unlinkPlugins<Value: CatalogueValue>(_ entry: CatalogueEntry<Value>) {
    forEachService(of: entry) { links.services.remove(entry.number, Value.kind, service: $0) }
  }

  /// Of those that are there.
  private func forEachService<Value: CatalogueValue>(
    of entry: CatalogueEntry<Value>, _ body: (_ number: Int) -> Void
  ) {
    for plugin in entry.value.plugins {
      for reference in plugin.serviceReferences {
        if let service = serviceTable[reference.service] { body(service.number) }
      }
    }
  }
}

extension BatchApplication {
  /// Reports services that plugins name and may not.
  mutating func checkPlugins<Value: CatalogueValue>(of entry: CatalogueEntry<Value>) {
    for plugin in entry.value.plugins {
      for reference in plugin.serviceReferences {
        let field =
          Value.kind == .plugins ? reference.path : "plugins.\(plugin.name).\(reference.path)"
        _ = service(
          reference.service, of: ResourceID(Value.kind, entry.value.name), field, entry.owner)
      }
    }
  }

  /// The same for users of a service that are not put themselves; those that are have been checked.
  mutating func checkPlugins<Value: CatalogueValue>(
    of users: Users, except changes: [AppliedBatch.Change<Value>]
  ) {
    let changed = Set(changes.compactMap(\.after?.number))
    let table = Value.table(of: catalogue)
    for number in users.numbers.sorted() where !changed.contains(number) {
      if let entry = table[number], !doomed.contains(number, Value.kind) { checkPlugins(of: entry) }
    }
  }
}

extension Resource {
  /// Names of the services that it refers to, by backends and by plugins, as often as it does.
  public var namedServices: [String] {
    let plugins: [PluginAttachment]
    var names: [String] = []
    switch self {
    case .listener, .certificate: return []
    case .service(let service): plugins = service.plugins
    case .route(let route):
      names = route.backends.map(\.service)
      plugins = route.plugins
    case .consumer(let consumer): plugins = consumer.plugins
    case .plugin(let plugin): plugins = plugin.plugins
    }
    for plugin in plugins { names += plugin.serviceReferences.map(\.service) }
    return names
  }
}
