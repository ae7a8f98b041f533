import DataPlane
import Logging
import Resources
import Store
import TLS

/// The store, and what resources look like from outside.
extension Registry {
  func attach(_ link: StoreLink) { storeLink = link }

  /// Nothing is written from now on, until ``resumeStore()``.
  func freezeStore(_ reason: String) { storeLink?.frozen = reason }

  func resumeStore() { storeLink?.frozen = nil }

  /// Looks whether the store can be used, and notes a change.
  func checkStore() {
    guard let link = storeLink, link.frozen == nil else { return }
    do throws(StoreError) {
      try link.store.check()
      storeProblem(nil)
    } catch {
      storeProblem(error.description)
    }
  }

  // MARK: Looking at it

  /// Where a file has a resource of the name of one that is left out, it is the file's that is shown.
  func view(_ id: ResourceID) -> ResourceView? {
    catalogue.item(id).map(view) ?? unserved[id].map(view)
  }

  private func view(_ entry: UnservedResources.Entry) -> ResourceView {
    var json = entry.document
    if let result = entry.operation?.result {
      var resource = result.resource
      if case .certificate(var spec) = resource, let certificate = result.certificate {
        spec.pem = CertificatePEM(chain: Array(certificate.chainPEM.utf8), key: [])
        resource = .certificate(spec)
      }
      json = resource.json
    }
    return ResourceView(
      id: entry.id, json: json, revision: entry.revision, owner: .store, unserved: entry.reason.description)
  }

  private func view(_ item: CatalogueItem) -> ResourceView {
    var resource = item.resource
    if case .certificate(var spec) = resource, spec.chainPath.isEmpty, let known = desk.shelf[spec.name] {
      spec.pem = CertificatePEM(chain: Array(known.chainPEM.utf8), key: [])
      resource = .certificate(spec)
    }
    return ResourceView(id: item.id, json: resource.json, revision: item.revision, owner: item.owner)
  }

  func page(_ kind: ResourceKind, filter: ResourceFilter, after: String?, limit: Int) -> ResourcePage {
    var items: [ResourceView] = []
    var last = after
    while items.count <= limit {
      let names = names(kind, after: last, limit: max(limit, 100))
      for name in names {
        last = name
        guard let shown = view(ResourceID(kind, name), filter) else { continue }
        items.append(shown)
        if items.count > limit { break }
      }
      if names.count < max(limit, 100) { break }
      // Names are sorted: behind those with the prefix there are no more.
      if let prefix = filter.namePrefix, let last, !last.hasPrefix(prefix), last > prefix { break }
    }
    let hasMore = items.count > limit
    return ResourcePage(items: Array(items.prefix(limit)), hasMore: hasMore, revision: revision)
  }

  /// Names of what is served and of what is left out, in their order.
  private func names(_ kind: ResourceKind, after name: String?, limit: Int) -> [String] {
    let served = catalogue.names(kind, after: name, limit: limit)
    let others = unserved.names(kind, after: name, limit: limit)
    if others.isEmpty { return served }
    return Array(Set(served).union(others).sorted().prefix(limit))
  }

  /// What has the name and is asked for: what is served goes before what is left out.
  private func view(_ id: ResourceID, _ filter: ResourceFilter) -> ResourceView? {
    if let prefix = filter.namePrefix, !id.name.hasPrefix(prefix) { return nil }
    if let item = catalogue.item(id),
      includes(item.resource, item.owner, desk.shelf[id.name]?.hosts ?? [], filter)
    {
      return view(item)
    }
    guard let entry = unserved[id] else { return nil }
    let result = entry.operation?.result
    return includes(result?.resource, .store, result?.certificate?.hosts ?? [], filter) ? view(entry) : nil
  }

  /// - Parameter certified: hosts of the certificate, where it is one.
  private func includes(
    _ resource: Resource?, _ owner: ResourceOwner, _ certified: @autoclosure () -> [String],
    _ filter: ResourceFilter
  ) -> Bool {
    if let wanted = filter.owner, !wanted.includes(owner) { return false }
    if let host = filter.host {
      switch resource {
      case .route(let route): if !route.hosts.contains(host) { return false }
      case .certificate: if !certified().contains(host) { return false }
      default: return false
      }
    }
    if let service = filter.service {
      return resource?.namedServices.contains(service) ?? false
    }
    return true
  }

  /// Everything that runs, as one configuration.
  var configuration: Configuration {
    catalogue.configuration(with: settings)
  }

  /// In the order of their numbers.
  var listeners: [Listener] { catalogue.listeners.map(\.value) }

  func resourceStatus() -> ResourceStatus {
    let state: ResourceStatus.Store =
      storeLink == nil
      ? .none : (storeLink?.frozen ?? status.storeProblem).map { .unavailable($0) } ?? .writable
    var shown = ResourceStatus(
      revision: revision, servedRevision: servedRevision, owners: owners, store: state)
    shown.unservedCount = status.unservedCount
    return shown
  }

  /// How many resources each owner has; what is no file's is the store's or built in.
  private var owners: [ResourceStatus.Owner] {
    var counts: [ResourceOwner: [ResourceKind: Int]] = [:]
    for file in files {
      for id in catalogue.resources(of: file) { counts[file, default: [:]][id.kind, default: 0] += 1 }
    }
    var rest: [ResourceKind: Int] = [:]
    for kind in ResourceKind.allCases {
      let owned = counts.values.reduce(0) { $0 + ($1[kind] ?? 0) }
      rest[kind] = catalogue.count(kind) - owned
    }
    if storeLink != nil { counts[.store] = rest }
    return counts.map { ResourceStatus.Owner(owner: $0.key, counts: $0.value) }
      .sorted { $0.owner.description < $1.owner.description }
  }

  func changes(
    after revision: UInt64?, ended: @escaping @Sendable (Int) -> Void
  ) -> AsyncStream<ChangeEvent> {
    feed.read(after: revision, ended: ended)
  }

  func remove(reader: Int) { feed.remove(reader: reader) }
}
