/// All resources of all sources, with what is needed to check a change without looking at what it does
/// not touch.
///
/// Shape (types, ranges) is what readers check; here it is everything between resources: names that are
/// taken, references, conditions and hosts that two claim, what depends on a listener's TLS.
///
/// Belongs to one thread at a time: the control plane's loop.
public final class Catalogue {
  /// Sockets of each worker; see also ``ResourceProblems``.
  public static let listenersMax = 1_000

  let listenerTable = ResourceTable<Listener>()
  let serviceTable = ResourceTable<Service>()
  let certificateTable = ResourceTable<CertificateSpec>()
  let routeTable = ResourceTable<Route>()
  let consumerTable = ResourceTable<Consumer>()
  let pluginTable = ResourceTable<GlobalPlugin>()
  var links = CatalogueLinks()

  /// The admin API's own, which no listener may have. Looked at when listeners change.
  public var adminAddress: HostPort?
  /// Whether a listener with TLS has to have a certificate, and `unknownHost: default` a default one.
  /// Where certificates may come later, from the store, they need not be there: false.
  public var listenersNeedCertificates = true

  public init() {}

  // MARK: Changes

  /// Puts and removes what a batch says, if nothing is wrong with the outcome; otherwise nothing changes.
  ///
  /// Takes time in proportion to the batch and to what refers to what it changes; batches that change
  /// which listeners there are, or whether they have TLS, also to the routes with `redirect` or `hsts`.
  public func apply(_ batch: ResourceBatch) throws(ResourceProblems) -> AppliedBatch {
    try apply([batch])
  }

  /// Several owners' batches as one change: files that refer to each other, or a resource that moves.
  ///
  /// - Parameter problemsMax: problems that are listed at most.
  public func apply(
    _ batches: [ResourceBatch], problemsMax: Int = ResourceProblems.countMax
  ) throws(ResourceProblems) -> AppliedBatch {
    var application = BatchApplication(self, problemsMax: problemsMax)
    application.run(batches)
    guard application.problems.isEmpty else {
      revert(application.applied)
      throw application.problems
    }
    sortNames(application.applied)
    return application.applied
  }

  /// Makes everything as it was before. Only for the last batch that was applied and not undone.
  public func undo(_ applied: AppliedBatch) {
    revert(applied)
    sortNames(applied.inverse)
  }

  private func sortNames(_ applied: AppliedBatch) {
    listenerTable.sort(applied.listeners)
    serviceTable.sort(applied.services)
    certificateTable.sort(applied.certificates)
    routeTable.sort(applied.routes)
    consumerTable.sort(applied.consumers)
    pluginTable.sort(applied.plugins)
  }

  // MARK: Look-ups

  public func listener(named name: String) -> CatalogueEntry<Listener>? { listenerTable[name] }
  public func service(named name: String) -> CatalogueEntry<Service>? { serviceTable[name] }
  public func certificate(named name: String) -> CatalogueEntry<CertificateSpec>? { certificateTable[name] }
  public func route(named name: String) -> CatalogueEntry<Route>? { routeTable[name] }

  public func listener(number: Int) -> CatalogueEntry<Listener>? { listenerTable[number] }
  public func service(number: Int) -> CatalogueEntry<Service>? { serviceTable[number] }
  public func certificate(number: Int) -> CatalogueEntry<CertificateSpec>? { certificateTable[number] }
  public func route(number: Int) -> CatalogueEntry<Route>? { routeTable[number] }

  /// In the order of their numbers, which is that of the first file where nothing has changed since.
  public var listeners: some Sequence<CatalogueEntry<Listener>> { listenerTable.all }
  public var services: some Sequence<CatalogueEntry<Service>> { serviceTable.all }
  public var certificates: some Sequence<CatalogueEntry<CertificateSpec>> { certificateTable.all }
  public var routes: some Sequence<CatalogueEntry<Route>> { routeTable.all }
  public var consumers: some Sequence<CatalogueEntry<Consumer>> { consumerTable.all }
  public var plugins: some Sequence<CatalogueEntry<GlobalPlugin>> { pluginTable.all }

  public func item(_ id: ResourceID) -> CatalogueItem? {
    switch id.kind {
    case .listeners: listenerTable[id.name].map(CatalogueItem.init)
    case .services: serviceTable[id.name].map(CatalogueItem.init)
    case .certificates: certificateTable[id.name].map(CatalogueItem.init)
    case .routes: routeTable[id.name].map(CatalogueItem.init)
    case .consumers: consumerTable[id.name].map(CatalogueItem.init)
    case .plugins: pluginTable[id.name].map(CatalogueItem.init)
    }
  }

  public func count(_ kind: ResourceKind) -> Int {
    switch kind {
    case .listeners: listenerTable.count
    case .services: serviceTable.count
    case .certificates: certificateTable.count
    case .routes: routeTable.count
    case .consumers: consumerTable.count
    case .plugins: pluginTable.count
    }
  }

  /// Names in the order of their UTF-8, from the first that comes after `name`, whether that one exists
  /// or not; from the first of all where it is nil.
  public func names(_ kind: ResourceKind, after name: String? = nil, limit: Int) -> [String] {
    switch kind {
    case .listeners: listenerTable.page(after: name, limit: limit)
    case .services: serviceTable.page(after: name, limit: limit)
    case .certificates: certificateTable.page(after: name, limit: limit)
    case .routes: routeTable.page(after: name, limit: limit)
    case .consumers: consumerTable.page(after: name, limit: limit)
    case .plugins: pluginTable.page(after: name, limit: limit)
    }
  }

  /// Resources in the order of their names; see ``names(_:after:limit:)``.
  public func page(_ kind: ResourceKind, after name: String? = nil, limit: Int) -> [CatalogueItem] {
    names(kind, after: name, limit: limit).compactMap { item(ResourceID(kind, $0)) }
  }

  /// What an owner has, sorted. Empty for the store, of which no list is kept.
  public func resources(of owner: ResourceOwner) -> [ResourceID] {
    links.owned(by: owner).compactMap { id(of: $0) }.sorted()
  }

  private func id(of owned: OwnedResource) -> ResourceID? {
    let name: String? =
      switch owned.kind {
      case .listeners: listenerTable[owned.number]?.value.name
      case .services: serviceTable[owned.number]?.value.name
      case .certificates: certificateTable[owned.number]?.value.name
      case .routes: routeTable[owned.number]?.value.name
      case .consumers: consumerTable[owned.number]?.value.name
      case .plugins: pluginTable[owned.number]?.value.name
      }
    return name.map { ResourceID(owned.kind, $0) }
  }

  // MARK: What follows from several resources

  /// Numbers of the routes that use a service, in no order.
  public func routes(usingService number: Int) -> [Int] { links.services.users(of: number, .routes).numbers }

  /// Certificates with `default: true` that a listener shows, by their numbers.
  public func defaultCertificates(of listener: String) -> [CatalogueEntry<CertificateSpec>] {
    links.defaultCertificates.sorted().compactMap { certificateTable[Int($0)] }
      .filter { $0.value.isServed(by: listener) }
  }

  /// What becomes of a handshake with a host that no certificate of the listener is for.
  public func unknownHost(of listener: Listener) -> ListenerTLS.UnknownHost {
    if let written = listener.tls?.unknownHost { return written }
    return defaultCertificates(of: listener.name).isEmpty ? .refuse : .defaultCertificate
  }

  /// Everything as one configuration that says the same, each kind in the order of numbers; what listeners
  /// leave open (``ListenerTLS/unknownHost``) is filled in. Takes time in proportion to all of it.
  public func configuration(with settings: Configuration) -> Configuration {
    var configuration = settings
    configuration.listeners = listeners.map { entry in
      var listener = entry.value
      listener.tls?.unknownHost = unknownHost(of: entry.value)
      return listener
    }
    configuration.services = services.map(\.value)
    configuration.certificates = certificates.map(\.value)
    configuration.routes = routes.map(\.value)
    configuration.consumers = consumers.map(\.value)
    configuration.plugins = plugins.map(\.value)
    return configuration
  }
}

extension CatalogueItem {
  init<Value: CatalogueValue>(_ entry: CatalogueEntry<Value>) {
    self.init(
      resource: entry.value.resource, owner: entry.owner, revision: entry.revision, position: entry.position)
  }
}
