/// Reads the resources of a file, one by one: what is between them is the ``Catalogue``'s.
struct FileReader {
  /// A resource as it is written.
  struct Written: Sendable {
    var node: YAMLNode
    /// `routes[3]`.
    var keyPath: String
  }

  private let diagnostics: Diagnostics
  /// Without those that have no name, or one that is used twice; after errors, what could be read.
  private(set) var puts: [ResourceBatch.Put] = []
  private(set) var written: [ResourceID: Written] = [:]
  /// Routes whose conditions could not all be read.
  private(set) var incomparable: Set<ResourceID> = []
  /// Also those whose names are used twice.
  private(set) var listeners: [Listener] = []
  /// Whether every certificate could be read so far that it is in ``puts``.
  private(set) var areCertificatesWhole = true

  init(_ diagnostics: Diagnostics) { self.diagnostics = diagnostics }

  /// - needsListeners: Whether the file has to have one: it is the only one.
  mutating func read(_ mapping: MappingReader, needsListeners: Bool) {
    readListeners(mapping, areNeeded: needsListeners)
    if let items = items("services", of: mapping) {
      read(items, .services) { ServiceReader.read($0).map(Resource.service) }
    }
    let hint = "such as certificates: [{name: shop, certificate: shop.pem, key: shop.key}]"
    if mapping["certificates"] != nil {
      let items = items("certificates", of: mapping, hint: hint)
      read(items ?? [], .certificates) { CertificateReader.read($0).map(Resource.certificate) }
      areCertificatesWhole = puts(.certificates) == items?.count
    }
    if let items = items("routes", of: mapping) { readRoutes(items) }
    if let items = items("consumers", of: mapping) {
      read(items, .consumers) { ConsumerReader.read($0).map(Resource.consumer) }
    }
    if let items = items("plugins", of: mapping) {
      read(items, .plugins) { GlobalPluginReader.read($0).map(Resource.plugin) }
    }
  }

  private func items(_ key: String, of mapping: MappingReader, hint: String? = nil) -> [Value]? {
    mapping[key]?.items("a list of \(key)", hint: hint)
  }

  private func puts(_ kind: ResourceKind) -> Int { puts.count { $0.resource.id.kind == kind } }

  private mutating func readListeners(_ mapping: MappingReader, areNeeded: Bool) {
    let example = "such as listeners: [{name: web, address: \":8080\"}]"
    guard let value = areNeeded ? mapping.required("listeners", example) : mapping["listeners"],
      let items = value.items("a list of listeners", hint: example)
    else { return }
    if items.isEmpty, areNeeded { value.report("at least one listener is needed", hint: example) }
    guard items.count <= Catalogue.listenersMax else {
      value.report("\(items.count) listeners are too many", hint: "at most \(Catalogue.listenersMax)")
      return
    }
    var listeners: [Listener] = []
    read(items, .listeners) { item in
      guard let listener = ListenerReader.read(item) else { return nil }
      listeners.append(listener)
      return .listener(listener)
    }
    self.listeners = listeners
  }

  private mutating func readRoutes(_ items: [Value]) {
    var incomparable: Set<ResourceID> = []
    read(items, .routes) { item in
      var isComparable = true
      guard let route = RouteReader.read(item, isComparable: &isComparable) else { return nil }
      if !isComparable { incomparable.insert(ResourceID(.routes, route.name)) }
      return .route(route)
    }
    self.incomparable = incomparable
  }

  private mutating func read(
    _ items: [Value], _ kind: ResourceKind, _ reading: (Value) -> Resource?
  ) {
    var names = UniqueNames()
    puts.reserveCapacity(puts.count + items.count)
    for (index, item) in items.enumerated() {
      guard let resource = reading(item) else { continue }
      let id = resource.id
      guard !id.name.isEmpty, names.insert(id.name, kind.singular, at: item.member("name") ?? item) else {
        continue
      }
      let position = SourcePosition(item.node.position)
      puts.append(ResourceBatch.Put(resource, position: position, order: UInt32(clamping: index)))
      written[id] = Written(node: item.node, keyPath: "\(kind.rawValue)[\(index)]")
    }
  }
}
