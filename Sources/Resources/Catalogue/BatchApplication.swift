/// Applies batches to a catalogue, in place, and collects everything that is wrong with the outcome.
/// Where that is anything, the catalogue is put back with what is in ``applied``.
struct BatchApplication {
  let catalogue: Catalogue
  private(set) var applied = AppliedBatch()
  var problems: ResourceProblems
  /// What is to be removed: routes and certificates first, services and listeners last, when nothing
  /// may refer to them any more.
  var doomed = NumbersByKind()
  /// Removed by one owner and put by another: these may change hands.
  private var transferred = NumbersByKind()
  private var handled = NumbersByKind()
  var names = ReferenceNames()

  init(_ catalogue: Catalogue, problemsMax: Int) {
    self.catalogue = catalogue
    problems = ResourceProblems(limit: problemsMax)
  }

  mutating func run(_ batches: [ResourceBatch]) {
    for batch in batches { condemn(batch) }
    if !doomed.isEmpty { for batch in batches { spare(batch) } }
    applied.certificates = remove { [catalogue] in catalogue.unlink($0) }
    applied.routes = remove { [catalogue] in catalogue.unlink($0) }
    applied.consumers = remove { [catalogue] in catalogue.unlink($0) }
    applied.plugins = remove { [catalogue] in catalogue.unlink($0) }
    for batch in batches { placeReferred(batch) }
    for change in applied.listeners { linkListener(change) }
    for change in applied.services { linkService(change) }
    for batch in batches { placeReferring(batch) }
    for change in applied.certificates { linkCertificate(change) }
    for change in applied.routes { linkRoute(change) }
    for change in applied.consumers { linkConsumer(change) }
    for change in applied.plugins { linkPlugin(change) }
    checkDependents()
    checkUsersOfDoomed()
    unlinkPluginsOfDoomedServices()
    applied.services += remove { [catalogue] in catalogue.unlink($0) }
    applied.listeners += remove { [catalogue] in catalogue.unlink($0) }
  }

  // MARK: What is removed

  private mutating func condemn(_ batch: ResourceBatch) {
    if batch.isComplete {
      for owned in catalogue.links.owned(by: batch.owner) { doomed.insert(owned.number, owned.kind) }
    }
    for id in batch.removes {
      guard let (number, owner) = catalogue.holder(of: id) else {
        report(id, "", "there is no \(id.kind.singular) of this name")
        continue
      }
      guard owner == batch.owner else {
        report(id, "", "it belongs to \(owner)", hint: "change it there")
        continue
      }
      doomed.insert(number, id.kind)
    }
  }

  private mutating func spare(_ batch: ResourceBatch) {
    for put in batch.puts {
      let id = put.resource.id
      guard let (number, owner) = catalogue.holder(of: id), doomed.remove(number, id.kind) else { continue }
      if owner != batch.owner { transferred.insert(number, id.kind) }
    }
  }

  private func remove<Value: CatalogueValue>(
    unlink: (CatalogueEntry<Value>) -> Void
  ) -> [AppliedBatch.Change<Value>] {
    let table = Value.table(of: catalogue)
    var changes: [AppliedBatch.Change<Value>] = []
    for number in doomed[Value.kind].sorted() {
      guard let entry = table[Int(number)] else { continue }
      unlink(entry)
      table.remove(entry)
      changes.append(AppliedBatch.Change(before: entry, after: nil))
    }
    return changes
  }

  private func unlinkPluginsOfDoomedServices() {
    for number in doomed[.services] {
      if let entry = catalogue.serviceTable[Int(number)] { catalogue.unlinkPlugins(entry) }
    }
  }

  // MARK: What is put

  private mutating func placeReferred(_ batch: ResourceBatch) {
    for put in batch.puts {
      switch put.resource {
      case .listener(let listener):
        let (change, isMoved) = place(listener, put, of: batch)
        guard let change else { continue }
        if isMoved { applied.moved.listeners.append(change) } else { applied.listeners.append(change) }
        if !isMoved, let before = change.before { catalogue.unlink(before) }
      case .service(let service):
        let (change, isMoved) = place(service, put, of: batch)
        guard let change else { continue }
        if isMoved { applied.moved.services.append(change) } else { applied.services.append(change) }
        if !isMoved, let before = change.before {
          catalogue.unlink(before)
          catalogue.unlinkPlugins(before)
        }
      default: break
      }
    }
  }

  private mutating func placeReferring(_ batch: ResourceBatch) {
    for put in batch.puts {
      switch put.resource {
      case .certificate(let certificate):
        let (change, isMoved) = place(certificate, put, of: batch)
        guard let change else { continue }
        if isMoved { applied.moved.certificates.append(change) } else { applied.certificates.append(change) }
        if !isMoved, let before = change.before { catalogue.unlink(before) }
      case .route(let route):
        let (change, isMoved) = place(catalogue.compacted(route), put, of: batch)
        guard let change else { continue }
        if isMoved { applied.moved.routes.append(change) } else { applied.routes.append(change) }
        if !isMoved, let before = change.before { catalogue.unlink(before) }
      case .consumer(let consumer):
        let (change, isMoved) = place(consumer, put, of: batch)
        guard let change else { continue }
        if isMoved { applied.moved.consumers.append(change) } else { applied.consumers.append(change) }
        if !isMoved, let before = change.before { catalogue.unlink(before) }
      case .plugin(let plugin):
        let (change, isMoved) = place(plugin, put, of: batch)
        guard let change else { continue }
        if isMoved { applied.moved.plugins.append(change) } else { applied.plugins.append(change) }
        if !isMoved, let before = change.before { catalogue.unlink(before) }
      default: break
      }
    }
  }

  /// Sets the entry of a put in its table, with nothing linked; no change where it is there already, or
  /// may not be.
  private mutating func place<Value: CatalogueValue>(
    _ value: Value, _ put: ResourceBatch.Put, of batch: ResourceBatch
  ) -> (AppliedBatch.Change<Value>?, isMoved: Bool) {
    let table = Value.table(of: catalogue)
    var order = UInt64(put.order)
    if batch.owner == .store { order = (1 << 32) + (put.created ?? batch.revision) }
    guard let before = table[value.name] else {
      let entry = CatalogueEntry(
        value, number: table.nextNumber, owner: batch.owner, revision: put.changed ?? batch.revision,
        order: order,
        position: put.position)
      table.add(entry)
      handled.insert(entry.number, Value.kind)
      return (AppliedBatch.Change(before: nil, after: entry), false)
    }
    guard mayReplace(before, batch.owner) else { return (nil, false) }
    let isSameOwner = before.owner == batch.owner
    if batch.owner == .store, isSameOwner { order = before.order }
    let isSame =
      isSameOwner && before.value == value && (Value.kind != .routes || before.order == order)
    if isSame {
      applied.unchanged.append(ResourceID(Value.kind, value.name))
      if before.position == put.position { return (nil, false) }
    }
    let entry = CatalogueEntry(
      isSame ? before.value : value, number: before.number, owner: batch.owner,
      revision: isSame ? before.revision : batch.revision, order: order, position: put.position)
    table.replace(with: entry)
    return (AppliedBatch.Change(before: before, after: entry), isSame)
  }

  /// Reports where the name is another's, or is put twice.
  private mutating func mayReplace<Value: CatalogueValue>(
    _ before: CatalogueEntry<Value>, _ owner: ResourceOwner
  ) -> Bool {
    let id = ResourceID(Value.kind, before.value.name)
    guard handled.insert(before.number, Value.kind) else {
      let place = place(before, for: owner)
      report(
        id, "name",
        place.isEmpty
          ? [.text("the name is used twice")]
          : [
            .text("the \(Value.kind.singular) \(quoted(id.name)) is already"),
            .place(id, field: "name", otherwise: place),
          ],
        hint: "names are unique", owner: owner)
      return false
    }
    guard before.owner == owner || transferred.contains(before.number, Value.kind) else {
      report(
        id, "name", [.text("the name is taken by \(before.owner)")], hint: "names are unique", owner: owner)
      return false
    }
    return true
  }
}

extension Catalogue {
  func holder(of id: ResourceID) -> (number: Int, owner: ResourceOwner)? {
    switch id.kind {
    case .listeners: listenerTable[id.name].map { ($0.number, $0.owner) }
    case .services: serviceTable[id.name].map { ($0.number, $0.owner) }
    case .certificates: certificateTable[id.name].map { ($0.number, $0.owner) }
    case .routes: routeTable[id.name].map { ($0.number, $0.owner) }
    case .consumers: consumerTable[id.name].map { ($0.number, $0.owner) }
    case .plugins: pluginTable[id.name].map { ($0.number, $0.owner) }
    }
  }

  /// A route that shares what many routes have: 100,000 of them would have as many arrays of `websocket`.
  func compacted(_ route: Route) -> Route {
    var route = route
    if route.matches == Self.commonMatches { route.matches = Self.commonMatches }
    if route.upgrades == Self.commonUpgrades { route.upgrades = Self.commonUpgrades }
    if let name = route.backends.first?.service, let service = serviceTable[name] {
      let backends = links.onlyBackend(service)
      if route.backends == backends { route.backends = backends }
    }
    return route
  }

  private static let commonMatches = [Match()]
  private static let commonUpgrades = ["websocket"]
}

/// Sets of numbers, one for each kind.
struct NumbersByKind {
  private var sets = [Set<UInt32>](repeating: [], count: ResourceKind.allCases.count)

  private static func index(_ kind: ResourceKind) -> Int { kind.rank }

  subscript(kind: ResourceKind) -> Set<UInt32> { sets[Self.index(kind)] }
  var isEmpty: Bool { sets.allSatisfy(\.isEmpty) }

  func contains(_ number: Int, _ kind: ResourceKind) -> Bool {
    sets[Self.index(kind)].contains(UInt32(number))
  }

  /// False where it was there.
  @discardableResult mutating func insert(_ number: Int, _ kind: ResourceKind) -> Bool {
    sets[Self.index(kind)].insert(UInt32(number)).inserted
  }

  /// False where it was not there.
  @discardableResult mutating func remove(_ number: Int, _ kind: ResourceKind) -> Bool {
    sets[Self.index(kind)].remove(UInt32(number)) != nil
  }
}
