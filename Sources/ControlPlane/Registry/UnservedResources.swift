import Resources
import Runtime
import Store
import TLS

/// Resources that the store has and that are not served, because files say otherwise, or because they
/// cannot be read.
///
/// Each is due to be tried again when something changes that may have stood in its way. Looking that up
/// takes time in proportion to the change, however many there are.
struct UnservedResources {
  struct Entry: Sendable {
    let id: ResourceID
    /// What is put in place when it can be; nil where the store's row cannot be read.
    var operation: PreparedOperation?
    /// As it was sent, of a row that cannot be read.
    var document = ""
    /// Revisions that it was made and last changed by.
    let created: UInt64
    let revision: UInt64
    let reason: ResourceProblem
    /// Those that it names for TLS, as they were when it was refused.
    fileprivate(set) var files: [String: FileSignature?] = [:]
  }

  /// What may have stood in a resource's way.
  private enum Cause: Hashable {
    /// What has its name, or is referred to.
    case resource(ResourceID)
    /// Routes of a host; empty: of any.
    case host(String)
    /// Which listeners there are, and what they are like.
    case listeners
    case certificates
    /// Which credentials are taken.
    case consumers
    /// Those that resources name for TLS.
    case securityFiles
    /// Something of a file that is not known.
    case configuration
  }

  private var entries: [ResourceID: Entry] = [:]
  private var waiting: [Cause: Set<ResourceID>] = [:]
  private var due: Set<ResourceID> = []
  /// Names by kind, in their order; nil after a change.
  private var sorted: [ResourceKind: [String]]?

  var isEmpty: Bool { entries.isEmpty }
  var count: Int { entries.count }

  subscript(id: ResourceID) -> Entry? { entries[id] }

  // MARK: Which there are

  /// Leaves a resource out, or says anew why.
  mutating func insert(_ entry: Entry) {
    remove(entry.id)
    var entry = entry
    for path in entry.operation?.result?.resource.materialNeeds.flatMap(\.key.paths) ?? [] {
      entry.files[path] = .some(FileSignature(path: path))
    }
    entries[entry.id] = entry
    for cause in Self.causes(of: entry) { waiting[cause, default: []].insert(entry.id) }
    sorted = nil
  }

  /// Leaves out what could not be put in place.
  ///
  /// - Parameter revision: of its last change, where the operation does not say.
  mutating func insert(_ operation: PreparedOperation, revision: UInt64? = nil, _ reason: ResourceProblem) {
    var operation = operation
    let stored = operation.result?.stored
    // The store has them.
    operation.result?.document = ""
    operation.result?.stored?.content = StoredContent(document: "")
    let last = revision ?? stored?.revision ?? 0
    operation.result?.stored?.revision = last
    insert(
      Entry(
        id: operation.id, operation: operation, created: stored?.created ?? last, revision: last,
        reason: reason))
  }

  mutating func remove(_ id: ResourceID) {
    guard let entry = entries.removeValue(forKey: id) else { return }
    for cause in Self.causes(of: entry) {
      waiting[cause]?.remove(id)
      if waiting[cause]?.isEmpty == true { waiting[cause] = nil }
    }
    due.remove(id)
    sorted = nil
  }

  private static func causes(of entry: Entry) -> Set<Cause> {
    guard let resource = entry.operation?.result?.resource else { return [] }
    var causes: Set<Cause> = [.resource(entry.id)]
    if entry.reason.id != entry.id { causes.insert(.configuration) }
    if !resource.materialNeeds.isEmpty { causes.insert(.securityFiles) }
    switch resource {
    case .listener: causes.insert(.listeners)
    case .service, .plugin: break
    case .consumer: causes.insert(.consumers)
    case .certificate(let spec):
      for name in spec.listeners { causes.insert(.resource(ResourceID(.listeners, name))) }
      if !entry.reason.field.hasPrefix("listeners") { causes.insert(.certificates) }
    case .route(let route):
      for name in route.listeners { causes.insert(.resource(ResourceID(.listeners, name))) }
      for host in hosts(of: route) { causes.insert(.host(host)) }
      if route.redirect != nil || route.hsts != nil { causes.insert(.listeners) }
    }
    for name in resource.namedServices { causes.insert(.resource(ResourceID(.services, name))) }
    return causes
  }

  private static func hosts(of route: Route) -> [String] { route.hosts.isEmpty ? [""] : route.hosts }

  // MARK: What has changed

  /// Resources have changed.
  mutating func note(_ applied: AppliedBatch) {
    if isEmpty { return }
    for change in applied.listeners { note(ResourceID(.listeners, change.name)) }
    for change in applied.services { note(ResourceID(.services, change.name)) }
    for change in applied.certificates { note(ResourceID(.certificates, change.name)) }
    for change in applied.routes {
      note(ResourceID(.routes, change.name))
      for host in change.before.map({ Self.hosts(of: $0.value) }) ?? [] { note(.host(host)) }
    }
    for change in applied.consumers { note(ResourceID(.consumers, change.name)) }
    for change in applied.plugins { note(ResourceID(.plugins, change.name)) }
    if !applied.consumers.isEmpty { note(.consumers) }
    if !applied.listeners.isEmpty { note(.listeners) }
    if !applied.certificates.isEmpty { note(.certificates) }
  }

  /// A resource has changed.
  mutating func note(_ id: ResourceID) { note(.resource(id)) }

  /// Files of the configuration, or what they say of the process, have changed.
  mutating func noteConfiguration() {
    note(.configuration)
    // The admin address is one that no listener may have.
    note(.listeners)
  }

  /// Files that resources name for TLS may have changed.
  mutating func noteSecurityFiles() { note(.securityFiles) }

  private mutating func note(_ cause: Cause) {
    guard let ids = waiting[cause] else { return }
    due.formUnion(ids)
  }

  /// Those that may be served now; each is given once.
  mutating func takeDue() -> [PreparedOperation] {
    defer { due = [] }
    return due.compactMap { entries[$0]?.operation }
  }

  // MARK: Looking at them

  /// Names in their order, from the first that comes after `name`.
  mutating func names(_ kind: ResourceKind, after name: String?, limit: Int) -> ArraySlice<String> {
    if isEmpty { return [] }
    let names = sortedNames()[kind] ?? []
    guard let name else { return names.prefix(limit) }
    var (low, high) = (0, names.count)
    while low < high {
      let middle = (low + high) / 2
      if names[middle] > name { high = middle } else { low = middle + 1 }
    }
    return names[low...].prefix(limit)
  }

  private mutating func sortedNames() -> [ResourceKind: [String]] {
    if let sorted { return sorted }
    let names = Dictionary(grouping: entries.keys, by: \.kind).mapValues { $0.map(\.name).sorted() }
    sorted = names
    return names
  }

  /// Files that those wait for, and how they were.
  var securityFiles: [String: FileSignature?] {
    var files: [String: FileSignature?] = [:]
    for id in waiting[.securityFiles] ?? [] {
      files.merge(entries[id]?.files ?? [:]) { known, _ in known }
    }
    return files
  }

  /// As many reasons as a line can hold.
  private static let shownMax = 5

  /// What people are told of all of them; nil where there are none.
  var summary: String? {
    if isEmpty { return nil }
    // All are sorted only where that is no work, so that a change costs the same however many there are.
    let shown =
      count <= 100
      ? entries.values.sorted { $0.id < $1.id }.prefix(Self.shownMax)
      : Array(entries.values.prefix(Self.shownMax))[...]
    let more = count > shown.count ? "; and \(count - shown.count) more" : ""
    return "\(count) resource(s) of the store are not served: "
      + shown.map(\.told).joined(separator: "; ") + more
  }
}

extension UnservedResources.Entry {
  /// For people: which one, and why.
  var told: String {
    reason.id == id ? reason.description : "\(id): \(reason.description)"
  }
}
