import Testing

@testable import Resources

/// Random batches: the catalogue accepts exactly those after which the whole is valid, and is as before
/// when one is refused or undone.
@Suite struct CatalogueRandomTests {
  private static let owners: [ResourceOwner] = [.store, .file("a.yaml"), .file("b.yaml")]

  @Test(arguments: 1...20)
  func agreesWithAWholeValidation(seed: Int) throws {
    var random = SeededGenerator(UInt64(seed))
    let catalogue = Catalogue()
    catalogue.listenersNeedCertificates = seed % 2 == 0
    var whole = WholeValidation()
    whole.listenersNeedCertificates = catalogue.listenersNeedCertificates
    var accepted = 0
    for step in 1...400 {
      let batches = Self.batches(&random, whole, revision: UInt64(step))
      let next = whole.after(batches).flatMap { $0.isValid && !$0.hasTooManyForAll ? $0 : nil }
      let before = catalogue.dump
      switch Result(catching: { () throws(ResourceProblems) in try catalogue.apply(batches) }) {
      case .success(let applied):
        try #require(next != nil, "step \(step) should be refused: \(batches)")
        if Int.random(in: 0..<3, using: &random) == 0 {
          catalogue.undo(applied)
          try #require(catalogue.dump == before, "step \(step) is not undone: \(batches)")
          _ = try catalogue.apply(batches)
        }
        accepted += 1
        whole = next ?? whole
        try check(catalogue, whole)
      case .failure(let problems):
        try #require(next == nil, "step \(step) should be accepted: \(problems) \(batches)")
        try #require(catalogue.dump == before, "step \(step) left something: \(batches)")
      }
    }
    #expect(accepted > 40)
  }

  /// Several batches are undone, last first.
  @Test(arguments: 1...10)
  func everythingCanBeUndone(seed: Int) throws {
    var random = SeededGenerator(UInt64(seed) + 1_000)
    let catalogue = Catalogue()
    catalogue.listenersNeedCertificates = false
    var whole = WholeValidation()
    var undo: [(applied: AppliedBatch, before: [String])] = []
    for step in 1...300 {
      let batches = Self.batches(&random, whole, revision: UInt64(step))
      let before = catalogue.dump
      guard let applied = try? catalogue.apply(batches), let next = whole.after(batches) else { continue }
      undo.append((applied, before))
      whole = next
    }
    #expect(undo.count > 50)
    for (applied, before) in undo.reversed() {
      catalogue.undo(applied)
      try #require(catalogue.dump == before)
    }
    #expect(ResourceKind.allCases.allSatisfy { catalogue.count($0) == 0 })
  }

  private func check(_ catalogue: Catalogue, _ whole: WholeValidation) throws {
    for kind in ResourceKind.allCases {
      let names = whole.resources.keys.filter { $0.kind == kind }.map(\.name).sorted()
      try #require(catalogue.names(kind, limit: .max) == names)
      try #require(catalogue.count(kind) == names.count)
    }
    for (id, owned) in whole.resources {
      let item = try #require(catalogue.item(id))
      try #require(item.resource == owned.resource && item.owner == owned.owner)
    }
    for owner in Self.owners where owner != .store {
      let ids = whole.resources.filter { $0.value.owner == owner }.keys.sorted()
      try #require(catalogue.resources(of: owner) == ids)
    }
    for route in catalogue.routes {
      try #require(catalogue.route(number: route.number) === route)
      for backend in route.value.backends {
        let service = try #require(catalogue.service(named: backend.service))
        try #require(catalogue.routes(usingService: service.number).contains(route.number))
      }
    }
    try checkUsers(of: catalogue, whole)
  }

  /// Who refers to a service is known, and nobody else.
  private func checkUsers(of catalogue: Catalogue, _ whole: WholeValidation) throws {
    for service in catalogue.services {
      for kind in ResourceKind.allCases {
        let users = catalogue.links.services.users(of: service.number, kind).numbers.sorted()
        let named = whole.resources.filter {
          $0.key.kind == kind && $0.value.resource.namedServices.contains(service.value.name)
        }
        let numbers = named.keys.compactMap { catalogue.holder(of: $0)?.number }.sorted()
        try #require(users == numbers)
      }
    }
  }

  // MARK: Batches

  /// Mostly one batch that changes few things, as most random ones are wrong somewhere.
  private static func batches(
    _ random: inout SeededGenerator, _ whole: WholeValidation, revision: UInt64
  ) -> [ResourceBatch] {
    let count = Int.random(in: 0..<5, using: &random) == 0 ? 2 : 1
    var batches: [ResourceBatch] = owners.shuffled(using: &random).prefix(count).map { owner in
      var batch = ResourceBatch(owner: owner, revision: revision)
      var ids: Set<ResourceID> = []
      for order in 0..<Int.random(in: 0...4, using: &random) {
        let resource = resource(&random)
        // Twice the same name is wrong, which is worth trying, but not all the time.
        guard ids.insert(resource.id).inserted || Int.random(in: 0..<10, using: &random) == 0 else {
          continue
        }
        batch.puts.append(ResourceBatch.Put(resource, order: UInt32(order)))
      }
      let own = whole.resources.filter { $0.value.owner == owner }.keys.sorted()
      batch.removes = Array(own.shuffled(using: &random).prefix(Int.random(in: 0...2, using: &random)))
      if Int.random(in: 0..<30, using: &random) == 0 { batch.removes.append(ResourceID(.routes, "none")) }
      if owner != .store, Int.random(in: 0..<6, using: &random) == 0 { batch.isComplete = true }
      // Some of what it has is put again, changed or not, or taken over from another owner.
      for id in own.prefix(batch.isComplete ? own.count : 1) where !ids.contains(id) {
        if let old = whole.resources[id]?.resource, Bool.random(using: &random) {
          batch.puts.append(ResourceBatch.Put(old))
          ids.insert(id)
        }
      }
      return batch
    }
    if batches.count == 2, oneIn(2, &random) { move(in: &batches, &random, whole) }
    return batches
  }

  /// One resource changes hands, as it is.
  private static func move(
    in batches: inout [ResourceBatch], _ random: inout SeededGenerator, _ whole: WholeValidation
  ) {
    let own = whole.resources.filter { $0.value.owner == batches[0].owner }.keys.sorted()
    guard let id = own.randomElement(using: &random), let resource = whole.resources[id]?.resource else {
      return
    }
    batches[0].puts.removeAll { $0.resource.id == id }
    batches[0].removes.append(id)
    batches[1].puts.removeAll { $0.resource.id == id }
    batches[1].puts.append(ResourceBatch.Put(resource))
  }

  private static func name(_ prefix: String, _ count: Int, _ random: inout SeededGenerator) -> String {
    "\(prefix)\(Int.random(in: 0..<count, using: &random))"
  }

  private static func oneIn(_ count: Int, _ random: inout SeededGenerator) -> Bool {
    Int.random(in: 0..<count, using: &random) == 0
  }

  private static func resource(_ random: inout SeededGenerator) -> Resource {
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1: .listener(listener(&random))
    case 2, 3: .service(service(&random))
    case 4, 5: .certificate(certificate(&random))
    case 6: .consumer(consumer(&random))
    case 7: .plugin(GlobalPlugin(sender(&random)))
    default: .route(route(&random))
    }
  }

  private static func consumer(_ random: inout SeededGenerator) -> Consumer {
    var consumer = Consumer(name: name("u", 3, &random))
    if oneIn(2, &random) { consumer.plugins = [sender(&random)] }
    return consumer
  }

  /// A plugin that names services, mostly one.
  private static func sender(_ random: inout SeededGenerator) -> PluginAttachment {
    Sender.attachment(
      to: (0...Int.random(in: 0...1, using: &random)).map { _ in name("s", 4, &random) })
  }

  private static func listener(_ random: inout SeededGenerator) -> Listener {
    let port = UInt16.random(in: 1...5, using: &random)
    var listener = Listener(name: name("l", 4, &random), address: HostPort(host: "0.0.0.0", port: port))
    if Bool.random(using: &random) {
      listener.tls = ListenerTLS()
      if oneIn(4, &random) { listener.tls?.unknownHost = .defaultCertificate }
    }
    return listener
  }

  private static func service(_ random: inout SeededGenerator) -> Service {
    var service = Service(name: name("s", 4, &random), endpoints: [])
    service.protocol = Bool.random(using: &random) ? .http1 : .http2
    if oneIn(4, &random) { service.plugins = [sender(&random)] }
    return service
  }

  private static func certificate(_ random: inout SeededGenerator) -> CertificateSpec {
    var certificate = CertificateSpec(name: name("c", 5, &random), chainPath: "a.pem", keyPath: "a.key")
    certificate.hosts = Set((0..<2).map { _ in name("h", 4, &random) }).sorted()
    certificate.isDefault = oneIn(3, &random)
    if oneIn(3, &random) { certificate.listeners = [name("l", 4, &random)] }
    return certificate
  }

  private static func route(_ random: inout SeededGenerator) -> Route {
    var route = Route(name: name("r", 8, &random), backends: [])
    route.backends = [Backend(service: name("s", 4, &random))]
    if oneIn(5, &random) { route.backends.append(Backend(service: name("s", 4, &random), weight: 2)) }
    route.hosts = Set((0..<2).map { _ in name("h", 12, &random) }).sorted()
    if oneIn(8, &random) { route.hosts = [] }
    if oneIn(3, &random) { route.listeners = [name("l", 4, &random)] }
    var match = Match()
    match.path = .prefix("/" + name("p", 3, &random))
    match.methods = oneIn(2, &random) ? ["GET", "PUT"] : ["PUT", "GET"]
    route.matches = oneIn(5, &random) ? [match, Match(grpc: GRPCMatch(method: "M"))] : [match]
    if oneIn(5, &random) { route.redirect = .on(HTTPSRedirect()) }
    if oneIn(6, &random) { route.hsts = .on(StrictTransportSecurity()) }
    if route.redirect != nil, oneIn(2, &random) { route.backends = [] }
    if oneIn(4, &random) { route.plugins = [sender(&random)] }
    return route
  }
}
