import DataPlane
import Logging
import Resources
import Store
import TLS

/// What the store holds, put in place at the start, and looked at later.
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

  /// Puts resources of the store in place, all that can be. Those that cannot, because the files now say
  /// otherwise, are left out and told of; they stay in the store.
  ///
  /// - Parameter revision: of the state that was read.
  /// - Returns: services whose health checks have to be told.
  func restore(
    _ operations: [PreparedOperation], endpoints: [String: [ResolvedEndpoint]], revision: UInt64,
    problems: [ResourceProblem]
  ) -> Set<String> {
    var checks: Set<String> = []
    var operations = operations
    var problems = problems
    var isNewestFirst = false
    while !operations.isEmpty {
      var change = Change(batches: [ResourceBatch(owner: .store, revision: revision)], endpoints: endpoints)
      for operation in operations {
        guard let result = operation.result else { continue }
        var put = ResourceBatch.Put(result.resource)
        put.created = result.stored?.created
        put.changed = result.stored?.revision
        change.batches[0].puts.append(put)
        if let certificate = result.certificate { change.inline[operation.id.name] = certificate }
      }
      do throws(ResourceProblems) {
        let staged = try stage(change)
        checks = publish(staged, change)
        break
      } catch {
        // Of two that exclude each other, the one that comes second is refused. It has to be the one of the
        // earlier change: when the other was taken, it was left out already.
        if !isNewestFirst {
          isNewestFirst = true
          operations.sort { ($0.result?.stored?.revision ?? 0) > ($1.result?.stored?.revision ?? 0) }
          continue
        }
        problems += error.problems
        let refused = Set(error.problems.compactMap(\.id))
        let left = operations.filter { !refused.contains($0.id) }
        // What cannot be laid at the door of any resource cannot be mended by leaving one out.
        if left.count == operations.count { break }
        operations = left
      }
    }
    for problem in problems { logger.error("the store: \(problem.description)") }
    if let first = problems.first {
      status.unservedProblem =
        "\(problems.count) problem(s) keep resources of the store from being served: \(first.description)"
    }
    self.revision = max(self.revision, revision)
    feed = ChangeFeed(after: self.revision)
    return checks
  }

  // MARK: Looking at it

  func view(_ id: ResourceID) -> ResourceView? { catalogue.item(id).map(view) }

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
      let names = catalogue.names(kind, after: last, limit: max(limit, 100))
      for name in names {
        last = name
        guard let item = catalogue.item(ResourceID(kind, name)), includes(item, filter) else { continue }
        items.append(view(item))
        if items.count > limit { break }
      }
      if names.count < max(limit, 100) { break }
      // Names are sorted: behind those with the prefix there are no more.
      if let prefix = filter.namePrefix, let last, !last.hasPrefix(prefix), last > prefix { break }
    }
    let hasMore = items.count > limit
    return ResourcePage(items: Array(items.prefix(limit)), hasMore: hasMore, revision: revision)
  }

  private func includes(_ item: CatalogueItem, _ filter: ResourceFilter) -> Bool {
    if let prefix = filter.namePrefix, !item.id.name.hasPrefix(prefix) { return false }
    if let owner = filter.owner, !owner.includes(item.owner) { return false }
    if let host = filter.host {
      switch item.resource {
      case .route(let route): if !route.hosts.contains(host) { return false }
      case .certificate(let spec):
        if desk.shelf[spec.name]?.hosts.contains(host) != true { return false }
      default: return false
      }
    }
    if let service = filter.service {
      guard case .route(let route) = item.resource else { return false }
      return route.backends.contains { $0.service == service }
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
    return ResourceStatus(
      revision: revision, servedRevision: servedRevision, owners: owners, store: state)
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
