import Testing

@testable import Resources

/// Several files that are one configuration.
@Suite struct ConfigurationFilesTests {
  private let shop = """
    services:
      - {name: shop, endpoints: ["a:1"]}
    routes:
      - {name: shop, hosts: [shop.example], listeners: [web], service: shop}
    """
  private let main = """
    workers: 2
    listeners: [{name: web, address: ":80"}]
    admin: {address: "127.0.0.1:9900"}
    """

  private func read(_ files: KeyValuePairs<String, String>) throws -> [FileContents] {
    try files.map { try ConfigurationFiles.read(text: $1, path: $0) }
  }

  /// One line for each problem; empty where all were applied.
  private func errors(_ catalogue: Catalogue, _ files: [FileContents]) -> [String] {
    do throws(ResourceProblems) {
      _ = try catalogue.apply(files.map { $0.batch(revision: 1) })
      return []
    } catch {
      return ConfigurationFiles.locate(error, in: files, catalogue).errors.map(\.description)
    }
  }

  @Test func filesReferToEachOther() throws {
    let files = try read(["shop.yaml": shop, "main.yaml": main])
    let catalogue = Catalogue()
    #expect(errors(catalogue, files) == [])
    #expect(catalogue.route(named: "shop")?.owner == .file("shop.yaml"))
    #expect(catalogue.route(named: "shop")?.position == SourcePosition(line: 4, column: 5))
    let settings = try ConfigurationFiles.settings(of: files.map(\.settings))
    #expect(settings.workers == 2)
    #expect(settings.admin?.address.port == 9900)
    #expect(settings.listeners.isEmpty)
    #expect(files.map { $0.settings.keys.keys.sorted() } == [[], ["admin", "workers"]])
  }

  @Test func aFileAloneReportsWhatIsWrongWithIt() throws {
    let error = #expect(throws: ConfigurationErrors.self) {
      try read(["a.yaml": "workers: 0\nroutes: [{name: r, service: a, match: [{path: a}]}]"])
    }
    #expect(
      error?.errors.map(\.description) == [
        "a.yaml:1:10: workers: 0 is out of range: from 1 to 1024",
        "a.yaml:2:47: routes[0].match[0].path: \"a\" does not begin with \"/\": write \"/a\"",
      ])
  }

  @Test func problemsAreShownWhereTheyAre() throws {
    let other = """
      routes:
        - {name: other, hosts: [shop.example], backends: [{service: shop}, {service: shp}]}
        - {name: shop, service: shop}
      certificates:
        - {name: c, certificate: c.pem, key: c.key, listeners: [web]}
      """
    let files = try read(["main.yaml": main, "shop.yaml": shop, "other.yaml": other])
    #expect(
      errors(Catalogue(), files) == [
        "other.yaml:2:5: routes[0]: route \"other\" has the same conditions as route \"shop\" "
          + "at shop.yaml:4:5 (host \"shop.example\", prefix \"/\"): no request can tell them apart; change or remove one",
        "other.yaml:2:80: routes[0].backends[1].service: no service is named \"shp\": did you mean \"shop\"?",
        "other.yaml:3:12: routes[1].name: the route \"shop\" is already at shop.yaml:4:12: names are unique",
        "other.yaml:5:59: certificates[0].listeners[0]: listener \"web\" has no tls: "
          + "add tls to it, or remove it here",
      ])
  }

  @Test func problemsOfFilesThatWereNotRead() throws {
    let catalogue = Catalogue()
    #expect(try errors(catalogue, read(["main.yaml": main, "shop.yaml": shop])) == [])
    #expect(
      try errors(catalogue, read(["main.yaml": "workers: 3"])) == [
        "main.yaml:2:13: listeners/web: it is used by routes/shop: "
          + "change or remove these before, or in the same change"
      ])
    #expect(
      try errors(catalogue, read(["new.yaml": "routes: [{name: shop, redirect: https}]"])) == [
        "new.yaml:1:17: routes[0].name: the name is taken by the file shop.yaml: names are unique"
      ])
    #expect(
      try errors(
        catalogue, read(["new.yaml": "routes: [{name: n, hosts: [shop.example], service: shop}]"])) == [
          "new.yaml:1:10: routes[0]: route \"n\" has the same conditions as route \"shop\" at shop.yaml:4:5 "
            + "(host \"shop.example\", prefix \"/\"): no request can tell them apart; change or remove one"
        ])
  }

  @Test func aFileGoes() throws {
    let catalogue = Catalogue()
    #expect(try errors(catalogue, read(["main.yaml": main, "shop.yaml": shop])) == [])
    _ = try catalogue.apply(
      ResourceBatch(owner: .file("shop.yaml"), revision: 2, isComplete: true))
    #expect(catalogue.count(.routes) == 0)
    #expect(catalogue.count(.listeners) == 1)
  }

  @Test func resourcesMoveBetweenFiles() throws {
    let catalogue = Catalogue()
    #expect(try errors(catalogue, read(["main.yaml": main, "shop.yaml": shop])) == [])
    let moved = "services: [{name: shop, endpoints: [\"a:1\"]}]"
    let rest = "routes: [{name: shop, hosts: [shop.example], listeners: [web], service: shop}]"
    #expect(try errors(catalogue, read(["moved.yaml": moved, "shop.yaml": rest])) == [])
    #expect(catalogue.service(named: "shop")?.owner == .file("moved.yaml"))
  }

  @Test func eachSettingIsInOneFile() throws {
    let files = try read(["a.yaml": main, "b.yaml": "store: off\n\nworkers: 3\nadmin: off"])
    let error = #expect(throws: ConfigurationErrors.self) {
      try ConfigurationFiles.settings(of: files.map(\.settings))
    }
    #expect(
      error?.errors.map(\.description) == [
        "b.yaml:4:1: admin: admin is already at a.yaml:3:1: each setting is in one file only",
        "b.yaml:3:1: workers: workers is already at a.yaml:1:1: each setting is in one file only",
      ])
  }
}

@Suite struct ResourceReaderTests {
  private func problems(_ id: String, _ body: String) throws -> [String] {
    do {
      _ = try CatalogueBench.resource(CatalogueBench.id(id), body)
      return []
    } catch let error as ResourceProblems {
      return error.problems.map(\.description)
    }
  }

  @Test func theNameNeedNotBeSaid() throws {
    let route = try CatalogueBench.resource(ResourceID(.routes, "a"), "{service: s}")
    #expect(route == .route(Route(name: "a", backends: [Backend(service: "s")])))
    #expect(try CatalogueBench.resource(ResourceID(.routes, "a"), "{name: a, service: s}") == route)
    #expect(
      try problems("routes/a", "{name: b, service: s}") == [
        "routes/a: name: \"b\" is not the name of this resource: leave it out, or write \"a\""
      ])
    #expect(
      try problems("services/-a", "{endpoints: [\"a:1\"]}") == [
        "services/-a: name: \"-a\" is not a name: letters, digits, \"-\", \"_\" and \".\", "
          + "beginning with a letter or digit, at most 253"
      ])
  }

  @Test func everythingThatIsWrongWithTheShape() throws {
    #expect(
      try problems("routes/a", "{host: [a], match: [{path: a}], backends: []}") == [
        "routes/a: host: unknown key: did you mean \"hosts\"?",
        "routes/a: match[0].path: \"a\" does not begin with \"/\": write \"/a\"",
        "routes/a: backends: at least one backend is needed: such as [{service: orders, weight: 90}]",
      ])
    #expect(
      try problems("listeners/a", "[]") == [
        "listeners/a: expected a mapping, found a list: such as {name: web, address: \":8080\"}"
      ])
    #expect(
      try problems("certificates/a", "{certificate: a.pem}") == [
        "certificates/a: \"key\" is missing: a PEM file with the private key"
      ])
  }

  @Test func fieldsAreNamedAsTheyAreWritten() throws {
    let problem = ResourceProblem(ResourceID(.routes, "a"), field: "backends[0].service", "wrong")
    let short = try ResourceBody(yaml: "{service: s}")
    #expect(ResourceReader.located(problem, in: short).pointer == "/service")
    let long = try ResourceBody(yaml: "{backends: [{service: s}]}")
    #expect(ResourceReader.located(problem, in: long).pointer == "/backends/0/service")
  }
}
