import Testing

@testable import Resources

@Suite struct CatalogueTests {
  private let service = "{endpoints: [\"a:1\"]}"

  private func bench() throws -> CatalogueBench {
    let bench = CatalogueBench()
    try bench.apply([
      "listeners/web": "{address: \":80\"}", "listeners/secure": "{address: \":443\", tls: true}",
      "services/shop": service, "services/rpc": "{endpoints: [\"a:1\"], protocol: h2}",
      "certificates/shop": "{certificate: a.pem, key: a.key, hosts: [shop.example]}",
      "routes/shop": "{hosts: [shop.example], service: shop}",
    ])
    return bench
  }

  // MARK: References

  @Test func referencesHaveToBeThere() throws {
    #expect(
      try bench().problems([
        "routes/a": "{listeners: [secur], hosts: [a], backends: [{service: shop}, {service: shopp}]}",
        "certificates/b": "{certificate: a.pem, key: a.key, listeners: [web, x, secure]}",
      ]) == [
        "certificates/b: listeners[0]: listener \"web\" has no tls: add tls to it, or remove it here",
        "certificates/b: listeners[1]: no listener is named \"x\": one of web, secure",
        "routes/a: backends[1].service: no service is named \"shopp\": did you mean \"shop\"?",
        "routes/a: listeners[0]: no listener is named \"secur\": did you mean \"secure\"?",
      ])
  }

  @Test func theOrderInABatchDoesNotMatter() throws {
    let bench = try bench()
    try bench.apply([
      "routes/new": "{listeners: [new], hosts: [new], service: new}", "services/new": service,
      "certificates/new": "{certificate: a.pem, key: a.key, listeners: [new]}",
      "listeners/new": "{address: \":8443\", tls: true}",
    ])
    #expect(bench.catalogue.route(named: "new") != nil)
    try bench.apply(removes: ["listeners/new", "services/new", "certificates/new", "routes/new"])
    #expect(bench.catalogue.count(.routes) == 1)
  }

  @Test func whatIsUsedStays() throws {
    let bench = try bench()
    let hint = "change or remove these before, or in the same change"
    #expect(
      try bench.problems(removes: ["services/shop"]) == ["services/shop: it is used by routes/shop: \(hint)"])
    try bench.apply([
      "routes/b": "{listeners: [secure], hosts: [b], service: shop}",
      "routes/c": "{hosts: [c], service: shop}",
      "certificates/b": "{certificate: a.pem, key: a.key, listeners: [secure]}",
    ])
    #expect(
      try bench.problems(removes: ["services/shop", "listeners/secure"]) == [
        "listeners/secure: it is used by certificates/b and 1 more: \(hint)",
        "services/shop: it is used by routes/b and 2 more: \(hint)",
      ])
    // One of the users goes, the others are changed not to use it any more.
    try bench.apply(
      ["routes/b": "{hosts: [b], service: rpc}", "routes/c": "{hosts: [c], service: rpc}"],
      removes: ["services/shop", "routes/shop"])
    #expect(bench.catalogue.service(named: "shop") == nil)
    #expect(bench.catalogue.routes(usingService: 1).count == 2)
  }

  @Test func aPutThatRefersToWhatTheBatchRemoves() throws {
    #expect(
      try bench().problems(["routes/shop": "{hosts: [x], service: shop}"], removes: ["services/shop"]) == [
        "routes/shop: backends[0].service: no service is named \"shop\": one of rpc"
      ])
  }

  @Test func gRPCNeedsHTTP2AlsoWhenTheServiceChanges() throws {
    let bench = try bench()
    #expect(
      try bench.problems(["routes/r": "{match: [{grpc: {}}], service: shop}"]) == [
        "routes/r: backends[0].service: gRPC needs HTTP/2, and the service \"shop\" speaks http/1.1: "
          + "write protocol: h2 in the service"
      ])
    try bench.apply(["routes/r": "{match: [{grpc: {}}], service: rpc}"])
    #expect(
      try bench.problems(["services/rpc": service]) == [
        "routes/r: backends[0].service: gRPC needs HTTP/2, and the service \"rpc\" speaks http/1.1: "
          + "write protocol: h2 in the service"
      ])
    try bench.apply(["services/rpc": service, "routes/r": "{service: rpc}"])
  }

  // MARK: What two cannot have

  @Test func conditions() throws {
    let bench = try bench()
    let message =
      "has the same conditions as route \"shop\" (host \"shop.example\", prefix \"/\"): "
      + "no request can tell them apart; change or remove one"
    #expect(
      try bench.problems(["routes/b": "{hosts: [b, shop.example], listeners: [web], service: shop}"]) == [
        "routes/b: route \"b\" \(message)"
      ])
    // The other goes, or gives the condition away, in the same batch.
    try bench.apply(
      ["routes/b": "{hosts: [shop.example], service: shop}"], removes: ["routes/shop"])
    try bench.apply([
      "routes/c": "{hosts: [shop.example], service: shop}", "routes/b": "{hosts: [b], service: shop}",
    ])
    // Both change at once.
    try bench.apply([
      "routes/c": "{hosts: [b], service: shop}", "routes/b": "{hosts: [shop.example], service: shop}",
    ])
    #expect(try bench.problems(["routes/d": "{hosts: [b], service: shop}"]).count == 1)
    try bench.apply(removes: ["routes/c"])
    try bench.apply(["routes/d": "{hosts: [b], service: shop}"])
  }

  @Test func theSameConditionsOnOtherListeners() throws {
    let bench = try bench()
    try bench.apply(["routes/a": "{listeners: [web], hosts: [a], service: shop}"])
    try bench.apply(["routes/b": "{listeners: [secure], hosts: [a], service: shop}"])
    #expect(try bench.problems(["routes/c": "{hosts: [a], service: shop}"]).count == 1)
    // Several pairs of hosts and matches are one problem for each pair of routes.
    #expect(
      try bench.problems([
        "routes/d": "{hosts: [x, y], service: shop}",
        "routes/e": "{hosts: [y, x], match: [{path: /}, {path: /e}], service: shop}",
      ]).count == 1)
  }

  @Test func twoCertificatesForAHost() throws {
    let bench = try bench()
    try bench.apply(["certificates/b": "{certificate: b.pem, key: b.key, hosts: [shop.example]}"])
    let message = "the host \"shop.example\" already has the certificates"
    let hint = "two at most: one with an ECDSA key, one with an RSA key"
    #expect(
      try bench.problems([
        "certificates/c": "{certificate: b.pem, key: b.key, hosts: [c, shop.example], listeners: [secure]}"
      ]) == ["certificates/c: hosts[1]: \(message) \"shop\" and \"b\": \(hint)"])
    try bench.apply(
      ["certificates/c": "{certificate: b.pem, key: b.key, hosts: [shop.example]}"],
      removes: ["certificates/b"])
    let bodies = "{certificate: b.pem, key: b.key, default: true}"
    try bench.apply(["certificates/d": bodies, "certificates/e": bodies])
    #expect(
      try bench.problems(["certificates/f": bodies]) == [
        "certificates/f: default: there are already the default certificates \"d\" and \"e\": \(hint)"
      ])
    #expect(bench.catalogue.defaultCertificates(of: "secure").map(\.value.name) == ["d", "e"])
  }

  /// Two for each listener, in whatever order they come.
  @Test(arguments: [["a", "b", "all"], ["all", "b", "a"], ["b", "all", "a"]])
  func certificatesOfDifferentListenersDoNotMeet(order: [String]) throws {
    let bodies = [
      "a": "{certificate: a.pem, key: a.key, hosts: [x], default: true, listeners: [a]}",
      "b": "{certificate: a.pem, key: a.key, hosts: [x], default: true, listeners: [b]}",
      "all": "{certificate: a.pem, key: a.key, hosts: [x], default: true}",
    ]
    let bench = CatalogueBench()
    try bench.apply([
      "listeners/a": "{address: \":1\", tls: true}", "listeners/b": "{address: \":2\", tls: true}",
    ])
    for name in order { try bench.apply(["certificates/\(name)": bodies[name] ?? ""]) }
    #expect(
      try bench.problems(["certificates/third": bodies["a"] ?? ""]) == [
        "certificates/third: default: there are already the default certificates "
          + order.filter { $0 != "b" }.map { "\"\($0)\"" }.joined(separator: " and ")
          + ": two at most: one with an ECDSA key, one with an RSA key",
        "certificates/third: hosts[0]: the host \"x\" already has the certificates "
          + order.filter { $0 != "b" }.map { "\"\($0)\"" }.joined(separator: " and ")
          + ": two at most: one with an ECDSA key, one with an RSA key",
      ])
  }

  @Test func addresses() throws {
    let bench = try bench()
    bench.catalogue.adminAddress = HostPort(host: "127.0.0.1", port: 9900)
    #expect(
      try bench.problems([
        "listeners/a": "{address: \"*:80\"}", "listeners/b": "{address: \"127.0.0.1:9900\"}",
        "listeners/c": "{address: \"[::1]:80\"}", "listeners/d": "{address: \"[0:0::1]:80\"}",
      ]) == [
        "listeners/a: address: the address 0.0.0.0:80 is already that of listener \"web\"",
        "listeners/b: address: the address 127.0.0.1:9900 is already that of admin",
        "listeners/d: address: the address [0:0::1]:80 is already that of listener \"c\"",
      ])
    // Two change places; one goes and another takes its address.
    try bench.apply([
      "listeners/web": "{address: \":443\"}", "listeners/secure": "{address: \":80\", tls: true}",
    ])
    try bench.apply(["listeners/b": "{address: \":443\"}"], removes: ["listeners/web"])
    #expect(try bench.problems(["listeners/c": "{address: \":443\"}"]).count == 1)
  }

  @Test func listenersAreNotWithoutEnd() throws {
    let bench = CatalogueBench()
    var batch = ResourceBatch(owner: .store, revision: 1)
    for index in 1...1_000 {
      let address = HostPort(host: "127.0.0.1", port: UInt16(index))
      batch.puts.append(ResourceBatch.Put(.listener(Listener(name: "l\(index)", address: address))))
    }
    _ = try bench.catalogue.apply(batch)
    #expect(
      try bench.problems(["listeners/more": "{address: \":1\"}"]) == [
        "listeners/more: 1001 listeners are too many: at most 1000"
      ])
    try bench.apply(["listeners/more": "{address: \":1\"}"], removes: ["listeners/l7"])
  }

  // MARK: Owners

  @Test func namesBelongToTheirOwners() throws {
    let bench = try bench()
    try bench.apply(["services/filed": service], owner: .file("a.yaml"))
    #expect(
      try bench.problems(["services/filed": service], removes: ["services/none"]) == [
        "services/filed: name: the name is taken by the file a.yaml: names are unique",
        "services/none: there is no service of this name",
      ])
    #expect(
      try bench.problems(removes: ["services/filed"]) == [
        "services/filed: it belongs to the file a.yaml: change it there"
      ])
    #expect(
      try bench.problems(["services/shop": service, "services/filed": service], owner: .file("b.yaml")) == [
        "services/filed: name: the name is taken by the file a.yaml: names are unique",
        "services/shop: name: the name is taken by the store: names are unique",
      ])
    #expect(
      try bench.problems(["services/x": service, "services/x": service]) == [
        "services/x: name: the name is used twice: names are unique"
      ])
  }

  @Test func filesReferToFilesOnly() throws {
    let bench = try bench()
    #expect(
      try bench.problems(
        ["routes/f": "{listeners: [web], hosts: [f], service: shop}"], owner: .file("a.yaml")) == [
          "routes/f: backends[0].service: the service \"shop\" is in the store: "
            + "what files hold refers only to what files hold",
          "routes/f: listeners[0]: the listener \"web\" is in the store: "
            + "what files hold refers only to what files hold",
        ])
    try bench.apply(
      ["services/f": service, "routes/f": "{hosts: [f], service: f}"], owner: .file("a.yaml"))
    try bench.apply(["routes/s": "{hosts: [s], service: f}"])
    #expect(try bench.problems(["routes/g": "{hosts: [g], service: shp}"], owner: .file("b.yaml")).count == 1)
  }

  @Test func whatMovesKeepsItsNumberAndItsUsers() throws {
    let bench = try bench()
    try bench.apply(["services/f": service], owner: .file("a.yaml"))
    try bench.apply(["routes/s": "{hosts: [s], service: f}"])
    let number = try #require(bench.catalogue.service(named: "f")?.number)
    let applied = try bench.catalogue.apply([
      bench.batch(owner: .file("a.yaml"), isComplete: true),
      bench.batch(["services/f": service], owner: .file("b.yaml"), isComplete: true),
    ])
    #expect(applied.services.count == 1)
    #expect(bench.catalogue.service(named: "f")?.number == number)
    #expect(bench.catalogue.service(named: "f")?.owner == .file("b.yaml"))
    #expect(bench.catalogue.resources(of: .file("a.yaml")) == [])
    #expect(bench.catalogue.resources(of: .file("b.yaml")) == [ResourceID(.services, "f")])
    // What a file's route uses cannot go to the store.
    try bench.apply(["routes/f": "{hosts: [f], service: f}"], owner: .file("c.yaml"))
    #expect(
      try bench.problems([
        bench.batch(owner: .file("b.yaml"), isComplete: true), bench.batch(["services/f": service]),
      ]) == [
        "routes/f: backends[0].service: the service \"f\" is in the store: "
          + "what files hold refers only to what files hold"
      ])
  }

  @Test func listenersOfFilesDoNotMoveAwayFromTheirUsers() throws {
    let bench = CatalogueBench()
    let listener = "{address: \":443\", tls: true}"
    try bench.apply(["listeners/l": listener], owner: .file("a.yaml"))
    try bench.apply(
      [
        "services/f": service, "routes/f": "{listeners: [l], service: f}",
        "certificates/c": "{certificate: a.pem, key: a.key, listeners: [l]}",
      ], owner: .file("c.yaml"))
    let problem =
      "listeners[0]: the listener \"l\" is in the store: what files hold refers only to what files hold"
    #expect(
      try bench.problems([
        bench.batch(owner: .file("a.yaml"), isComplete: true), bench.batch(["listeners/l": listener]),
      ]) == ["certificates/c: " + problem, "routes/f: " + problem])
    _ = try bench.catalogue.apply([
      bench.batch(owner: .file("a.yaml"), isComplete: true), bench.batch(["listeners/l": listener]),
      bench.batch(owner: .file("c.yaml"), isComplete: true),
    ])
    #expect(bench.catalogue.listener(named: "l")?.owner == .store)
  }

  @Test func aFileIsReadAgain() throws {
    let bench = try bench()
    let owner = ResourceOwner.file("a.yaml")
    try bench.apply(
      [
        "services/f": service, "routes/a": "{hosts: [a], service: f}", "routes/b": "{hosts: [b], service: f}",
      ], owner: owner)
    let applied = try bench.apply(
      [
        "services/f": service, "routes/b": "{hosts: [b], service: f}", "routes/c": "{hosts: [a], service: f}",
      ],
      owner: owner, isComplete: true)
    // The first is where another was, the second has another place among the file's routes.
    #expect(applied.routes.map { $0.before?.value.name } == ["a", "b", nil])
    #expect(applied.routes.map { $0.after?.value.name } == [nil, "b", "c"])
    #expect(applied.services.isEmpty)
    #expect(applied.unchanged == [ResourceID(.services, "f")])
    #expect(
      bench.catalogue.resources(of: owner).map(\.description) == ["services/f", "routes/b", "routes/c"])
  }

  // MARK: Entries

  @Test func whatIsTheSameIsNoChange() throws {
    let bench = try bench()
    let before = bench.catalogue.dump
    let applied = try bench.apply([
      "services/shop": service, "routes/shop": "{hosts: [Shop.Example], backends: [{service: shop}]}",
    ])
    #expect(applied.isEmpty)
    #expect(applied.unchanged.map(\.description) == ["services/shop", "routes/shop"])
    #expect(bench.catalogue.dump == before)
  }

  @Test func revisionsAndOrder() throws {
    let bench = CatalogueBench()
    try bench.apply(["services/a": service])
    try bench.apply(["routes/second": "{hosts: [a], service: a}"])
    try bench.apply(["routes/first": "{hosts: [b], service: a}"])
    try bench.apply(["routes/second": "{hosts: [c], service: a}"])
    let second = try #require(bench.catalogue.route(named: "second"))
    #expect(second.revision == 4)
    #expect(second.order == 1 << 32 + 2)
    #expect(bench.catalogue.route(named: "first")?.order == 1 << 32 + 3)
    try bench.apply(
      ["services/f": service, "routes/f": "{hosts: [f], service: f}"], owner: .file("a.yaml"))
    #expect(bench.catalogue.route(named: "f")?.order == 1)
  }

  @Test func placesOfUnchangedResourcesFollowTheFile() throws {
    let bench = CatalogueBench()
    let owner = ResourceOwner.file("a.yaml")
    try bench.apply(["services/a": service], owner: owner)
    let before = bench.catalogue.dump
    let applied = try bench.apply(
      ["listeners/web": "{address: \":80\"}", "services/a": service], owner: owner, isComplete: true)
    #expect(applied.services.isEmpty)
    #expect(bench.catalogue.service(named: "a")?.position == SourcePosition(line: 2, column: 1))
    #expect(bench.catalogue.service(named: "a")?.revision == 1)
    bench.catalogue.undo(applied)
    #expect(bench.catalogue.service(named: "a")?.position == SourcePosition(line: 1, column: 1))
    #expect(bench.catalogue.dump == before)
  }

  @Test func pages() throws {
    let bench = CatalogueBench()
    try bench.apply([
      "services/b": service, "services/a": service, "services/B": service, "services/a.b": service,
      "services/a-b": service,
    ])
    let catalogue = bench.catalogue
    #expect(catalogue.names(.services, limit: 10) == ["B", "a", "a-b", "a.b", "b"])
    #expect(catalogue.names(.services, after: "a", limit: 2) == ["a-b", "a.b"])
    #expect(catalogue.names(.services, after: "aa", limit: 2) == ["b"])
    #expect(catalogue.names(.services, after: "b", limit: 2) == [])
    #expect(catalogue.page(.services, after: "a.b", limit: 5).map(\.id.name) == ["b"])
    #expect(catalogue.item(ResourceID(.services, "a"))?.revision == 1)
  }

  @Test func problemsHaveAnEnd() throws {
    let bench = CatalogueBench()
    var batch = ResourceBatch(owner: .store, revision: 1)
    for index in 0..<1_500 {
      var route = Route(name: "r\(index)", backends: [Backend(service: "none")])
      route.hosts = ["h\(index)"]
      batch.puts.append(ResourceBatch.Put(.route(route)))
    }
    let problems = #expect(throws: ResourceProblems.self) { _ = try bench.catalogue.apply(batch) }
    #expect(problems?.problems.count == ResourceProblems.countMax)
    #expect(problems?.omitted == 500)
    #expect(bench.catalogue.count(.routes) == 0)
  }
}
