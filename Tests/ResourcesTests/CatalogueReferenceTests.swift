import Testing

@testable import Resources

/// Services that plugins name: they have to be there, and cannot be removed.
@Suite("Services that plugins name") struct CatalogueReferenceTests {
  private let service = "{endpoints: [\"a:1\"]}"
  private let hint = "change or remove these before, or in the same change"

  private func bench() throws -> CatalogueBench {
    let bench = CatalogueBench()
    try bench.apply([
      "listeners/web": "{address: \":80\"}", "services/shop": service, "services/next": service,
      "services/spare": service, "routes/shop": "{hosts: [shop.example], service: shop}",
    ])
    return bench
  }

  @Test func haveToBeThereAtEachPlaceWhereAnOptionNamesOne() throws {
    let plugins =
      "{sender: {to: shopp, others: [next, x], byKey: {a: y}, rules: [{to: [{service: shop}, {service: z}]}]}}"
    #expect(
      try bench().problems(["routes/a": "{hosts: [a], service: shop, plugins: \(plugins)}"]) == [
        "routes/a: plugins.sender.byKey.a: no service is named \"y\": one of shop, next, spare",
        "routes/a: plugins.sender.others[1]: no service is named \"x\": one of shop, next, spare",
        "routes/a: plugins.sender.rules[0].to[1].service: no service is named \"z\": one of shop, next, spare",
        "routes/a: plugins.sender.to: no service is named \"shopp\": did you mean \"shop\"?",
      ])
  }

  @Test func areCheckedForEveryKindThatHasPlugins() throws {
    #expect(
      try bench().problems([
        "services/a": "{endpoints: [\"a:1\"], plugins: {sender: {to: nexd}}}",
        "consumers/alice": "{plugins: {sender: {others: nexd}}}",
        "plugins/sender": "{to: nexd}",
        "plugins/tracer": "{enabled: false, to: nexd}",
      ]) == [
        "consumers/alice: plugins.sender.others[0]: no service is named \"nexd\": did you mean \"next\"?",
        "plugins/sender: to: no service is named \"nexd\": did you mean \"next\"?",
        "plugins/tracer: to: no service is named \"nexd\": did you mean \"next\"?",
        "services/a: plugins.sender.to: no service is named \"nexd\": did you mean \"next\"?",
      ])
  }

  @Test(arguments: [
    ("routes/a", "{hosts: [a], service: shop, plugins: {sender: {to: next}}}"),
    ("services/a", "{endpoints: [\"a:1\"], plugins: {sender: {to: next}}}"),
    ("consumers/a", "{plugins: {sender: {to: next}}}"),
    ("plugins/sender", "{to: next}"),
  ])
  func stay(user: String, body: String) throws {
    let bench = try bench()
    try bench.apply([user: body])
    #expect(
      try bench.problems(removes: ["services/next"]) == ["services/next: it is used by \(user): \(hint)"])
    // Replaced as often as one likes; the number stays.
    let number = bench.catalogue.service(named: "next")?.number
    try bench.apply(["services/next": "{endpoints: [\"b:2\"]}"])
    #expect(bench.catalogue.service(named: "next")?.number == number)
    // The user names another one, and then it may go; or both go together.
    try bench.apply([user: body.replacing("next", with: "spare")])
    try bench.apply(removes: ["services/next"])
    try bench.apply(removes: ["services/spare", user])
    #expect(bench.catalogue.names(.services, limit: 9).contains("spare") == false)
  }

  @Test func severalUsersAreCounted() throws {
    let bench = try bench()
    try bench.apply([
      "routes/a": "{hosts: [a], service: next, plugins: {sender: {others: [next, next]}}}",
      "plugins/sender": "{to: next}", "consumers/alice": "{plugins: {sender: {to: next}}}",
    ])
    #expect(
      try bench.problems(removes: ["services/next"]) == [
        "services/next: it is used by routes/a and 2 more: \(hint)"
      ])
  }

  @Test func servicesMayNameEachOtherAndThemselves() throws {
    let bench = try bench()
    func body(_ name: String) -> String { "{endpoints: [\"a:1\"], plugins: {sender: {to: \(name)}}}" }
    let before = bench.catalogue.dump
    let applied = try bench.apply(["services/a": body("b"), "services/b": body("a"), "services/c": body("c")])
    #expect(
      try bench.problems(removes: ["services/a"]) == ["services/a: it is used by services/b: \(hint)"])
    bench.catalogue.undo(applied)
    #expect(bench.catalogue.dump == before)
    try bench.apply(["services/a": body("b"), "services/b": body("a"), "services/c": body("c")])
    try bench.apply(removes: ["services/c"])
    try bench.apply(removes: ["services/a", "services/b"])
    // Those that get the numbers are used by nobody.
    try bench.apply(["services/d": service, "services/e": service, "services/f": service])
    try bench.apply(removes: ["services/d", "services/e", "services/f"])
  }

  @Test func filesReferOnlyToFiles() throws {
    let bench = try bench()
    let message =
      "the service \"shop\" is in the store: what files hold refers only to what files hold"
    #expect(
      try bench.problems(["plugins/sender": "{to: shop}"], owner: .file("a.yaml")) == [
        "plugins/sender: to: \(message)"
      ])
    try bench.apply(["services/own": service], owner: .file("a.yaml"))
    try bench.apply(
      [
        "plugins/sender": "{to: own}", "consumers/alice": "{plugins: {sender: {to: own}}}",
        "services/b": "{endpoints: [\"a:1\"], plugins: {sender: {to: own}}}",
      ], owner: .file("b.yaml"))
    // The store may not take over what a file's plugins name.
    let moved = try [
      bench.batch(removes: ["services/own"], owner: .file("a.yaml")), bench.batch(["services/own": service]),
    ]
    let refusal = message.replacing("shop", with: "own")
    #expect(
      try bench.problems(moved) == [
        "consumers/alice: plugins.sender.to: \(refusal)", "plugins/sender: to: \(refusal)",
        "services/b: plugins.sender.to: \(refusal)",
      ])
  }

  @Test func whatAResourceNamesIsListed() throws {
    let route = try CatalogueBench.resource(
      ResourceID(.routes, "a"), "{service: shop, plugins: {sender: {to: next, others: [shop]}}}")
    #expect(route.namedServices == ["shop", "next", "shop"])
  }
}
