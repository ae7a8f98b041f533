/// What the catalogue needs of a kind's values.
protocol CatalogueValue: Sendable, Equatable {
  static var kind: ResourceKind { get }
  static func table(of catalogue: Catalogue) -> ResourceTable<Self>
  var name: String { get }
  var resource: Resource { get }
  var plugins: [PluginAttachment] { get }
}

extension CatalogueValue {
  var plugins: [PluginAttachment] { [] }
}

extension Listener: CatalogueValue {
  static let kind = ResourceKind.listeners
  static func table(of catalogue: Catalogue) -> ResourceTable<Listener> { catalogue.listenerTable }
  var resource: Resource { .listener(self) }
}

extension Service: CatalogueValue {
  static let kind = ResourceKind.services
  static func table(of catalogue: Catalogue) -> ResourceTable<Service> { catalogue.serviceTable }
  var resource: Resource { .service(self) }
}

extension CertificateSpec: CatalogueValue {
  static let kind = ResourceKind.certificates
  static func table(of catalogue: Catalogue) -> ResourceTable<CertificateSpec> { catalogue.certificateTable }
  var resource: Resource { .certificate(self) }
}

extension Route: CatalogueValue {
  static let kind = ResourceKind.routes
  static func table(of catalogue: Catalogue) -> ResourceTable<Route> { catalogue.routeTable }
  var resource: Resource { .route(self) }
}

extension Consumer: CatalogueValue {
  static let kind = ResourceKind.consumers
  static func table(of catalogue: Catalogue) -> ResourceTable<Consumer> { catalogue.consumerTable }
  var resource: Resource { .consumer(self) }
}

extension GlobalPlugin: CatalogueValue {
  static let kind = ResourceKind.plugins
  static func table(of catalogue: Catalogue) -> ResourceTable<GlobalPlugin> { catalogue.pluginTable }
  var plugins: [PluginAttachment] { [attachment] }
  var resource: Resource { .plugin(self) }
}

/// All resources of one kind, by number and by name.
final class ResourceTable<Value: CatalogueValue> {
  typealias Entry = CatalogueEntry<Value>

  private var entries: [Entry?] = []
  /// Numbers that are free; the last is the next to be given.
  private var free: [UInt32] = []
  private var numbers = HashIndex()
  /// Behind while a batch is applied; see ``sort(_:)``.
  private var sorted = SortedNames()

  /// Numbers are below this.
  var numberEnd: Int { entries.count }
  var count: Int { numbers.count }

  subscript(number: Int) -> Entry? { number < entries.count ? entries[number] : nil }

  subscript(name: String) -> Entry? {
    numbers.first(name.hashValue) { entries[$0]?.value.name == name }.flatMap { entries[$0] }
  }

  /// In the order of their numbers.
  var all: some Sequence<Entry> { entries.lazy.compactMap { $0 } }

  // MARK: Changes

  /// The number that the next entry with a new name has to have.
  var nextNumber: Int { free.last.map { Int($0) } ?? entries.count }

  /// Adds an entry with ``nextNumber``.
  func add(_ entry: Entry) {
    if free.popLast() == nil { entries.append(entry) } else { entries[entry.number] = entry }
    numbers.insert(entry.value.name.hashValue, entry.number)
  }

  /// Sets an entry where one of its name and number is.
  func replace(with entry: Entry) { entries[entry.number] = entry }

  func remove(_ entry: Entry) {
    entries[entry.number] = nil
    free.append(UInt32(entry.number))
    numbers.remove(entry.value.name.hashValue, entry.number)
  }

  /// Adds an entry again that was the last to be removed, of those that still are.
  func restore(_ entry: Entry) {
    free.removeLast()
    entries[entry.number] = entry
    numbers.insert(entry.value.name.hashValue, entry.number)
  }

  // MARK: Names in order

  /// Brings the order of names up to date with changes that were made.
  func sort(_ changes: [AppliedBatch.Change<Value>]) {
    var (removed, added): ([String], [String]) = ([], [])
    for change in changes {
      if change.before == nil, let after = change.after { added.append(after.value.name) }
      if change.after == nil, let before = change.before { removed.append(before.value.name) }
    }
    sorted.change(removing: removed, adding: added)
  }

  func page(after name: String?, limit: Int) -> [String] { sorted.page(after: name, limit: limit) }

  // MARK: Tests

  /// Everything that has to be as before when a change is undone.
  var dump: [String] {
    let rows = all.map { "\($0.number) \($0.value.name) \(ObjectIdentifier($0))" }
    // Free numbers and those behind the end are one row of numbers.
    let next = (free.reversed().map { Int($0) } + (0..<64).map { entries.count + $0 }).prefix(64)
    return rows + ["next \(Array(next))", "\(numbers.pairs)", "\(sorted.all)"]
  }
}
