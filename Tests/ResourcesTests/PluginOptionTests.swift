import Testing

@testable import Resources

@Suite("Options of plugins")
struct PluginOptionTests {
  /// One option of each type.
  private struct Everything: PluginSettings {
    static let name = "everything"
    static let summary = "Has one option of each type."
    static let priority = 10
    static let options = [
      PluginOption("flag", .flag, default: .flag(true), "A flag."),
      PluginOption("integer", .integer(1...5), default: .integer(3), "A number."),
      PluginOption("share", .percentage, "A share."),
      PluginOption("text", .text("a word"), "A text."),
      PluginOption("content", .content(bytesMax: 10), "A content."),
      PluginOption("choice", .choice(["one", "two"]), "A choice."),
      PluginOption("duration", .duration(.milliseconds(5)...(.seconds(60))), "A duration."),
      PluginOption("size", .size(1...1_048_576), "A size."),
      PluginOption("token", .token("a field's name"), "A token."),
      PluginOption("value", .fieldValue, "A field's value."),
      PluginOption("networks", .list(.network, maximum: 3), "Networks."),
      PluginOption("regex", .regex, "An expression."),
      PluginOption("service", .service, "A service."),
      PluginOption("map", .map(.token("a field's name"), .fieldValue, maximum: 2), "A map."),
      PluginOption(
        "objects", .list(.object([.required("n", .integer(0...9), "A digit.")]), maximum: 2), "Objects."),
    ]
    init(_ values: OptionValues) throws(OptionProblem) {
      if values.integer("integer") == 5 { throw OptionProblem("integer", "5 is not wanted", hint: "less") }
    }
  }

  private static let catalog = PluginCatalog([Everything.self])

  private func read(_ options: String) throws -> Route {
    let body = try ResourceBody(yaml: "service: app\nplugins: {everything: \(options)}")
    let resource = try ResourceReader.read(
      ResourceID(.routes, "shop"), body, folder: "", plugins: Self.catalog)
    guard case .route(let route) = resource else { fatalError("not a route") }
    return route
  }

  private func values(_ options: String) throws -> OptionValues { try read(options).plugins[0].values }

  @Test("defaults hold where nothing is given")
  func defaults() throws {
    for options in ["", "{}"] {
      let values = try values(options)
      #expect(values.flag("flag") && values.integer("integer") == 3 && values.text("text") == nil)
      #expect(values.texts("networks") == [] && !values.isGiven("flag"))
    }
  }

  @Test("what is given is read, and written so that it reads the same")
  func reading() throws {
    let route = try read(
      """
      {flag: false, integer: 4, share: 12.5%, text: word, content: "a\\nb", choice: two, duration: 1500ms,
      size: 16KiB, token: X-A, value: "a: b", service: app-2.b, networks: [10.0.0.0/8, "::1"], regex: "a+",
      map: {X-One: "1"}, objects: [{n: 1}, {n: 2}]}
      """)
    let values = route.plugins[0].values
    #expect(!values.flag("flag") && values.integer("integer") == 4 && values.share("share") == 125_000)
    #expect(values.text("content") == "a\nb" && values.duration("duration") == .milliseconds(1_500))
    #expect(
      values.size("size") == 16_384 && values.networks("networks").map(\.text) == ["10.0.0.0/8", "::1"])
    #expect(
      values.pairs("map").map(\.key) == ["X-One"]
        && values.objects("objects").map { $0.integer("n") } == [1, 2])
    for text in [Resource.route(route).json, Resource.route(route).yaml] {
      let again = try ResourceReader.read(
        ResourceID(.routes, "shop"), ResourceBody(yaml: text), folder: "", plugins: Self.catalog)
      #expect(again == .route(route), "\(text)")
    }
  }

  @Test("a single item need not be a list")
  func singleItem() throws {
    #expect(try values("{networks: 10.0.0.1}").networks("networks").map(\.text) == ["10.0.0.1"])
  }

  @Test(
    "what is wrong is said where it is",
    arguments: [
      ("{integer: 6}", "plugins.everything.integer", "6 is out of range"),
      ("{integer: 5}", "plugins.everything.integer", "5 is not wanted"),
      ("{share: 101%}", "plugins.everything.share", "is not a percentage"),
      ("{share: 1.23456%}", "plugins.everything.share", "is not a percentage"),
      ("{text: \"a\\nb\"}", "plugins.everything.text", "a word is of one line"),
      ("{content: 12345678901}", "plugins.everything.content", "11 bytes are too many"),
      ("{choice: three}", "plugins.everything.choice", "unknown value"),
      ("{duration: 1ms}", "plugins.everything.duration", "is out of range"),
      ("{duration: 2m}", "plugins.everything.duration", "is out of range"),
      ("{size: 2MiB}", "plugins.everything.size", "is out of range"),
      ("{token: \"a b\"}", "plugins.everything.token", "is not a field's name"),
      (
        "{token: " + String(repeating: "x", count: 201) + "}", "plugins.everything.token",
        "201 bytes are too many"
      ),
      ("{value: \"a\\r\\nb\"}", "plugins.everything.value", "this is not a field's value"),
      ("{networks: [10.0.0.1/8]}", "plugins.everything.networks[0]", "has bits set"),
      ("{networks: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}", "plugins.everything.networks", "4 are too many"),
      ("{regex: \"(\"}", "plugins.everything.regex", "is not a regular expression"),
      ("{service: \"a b\"}", "plugins.everything.service", "is not a name"),
      ("{map: {\"a b\": c}}", "plugins.everything.map.\"a b\"", "is not a field's name"),
      ("{objects: [{n: 1}, {}]}", "plugins.everything.objects[1]", "\"n\" is missing"),
      ("{objects: [{m: 1, n: 1}]}", "plugins.everything.objects[0].m", "unknown key"),
      ("{colour: 1}", "plugins.everything.colour", "unknown key"),
      ("{enabled: 1}", "plugins.everything.enabled", "expected true or false"),
      ("[]", "plugins.everything", "expected a mapping"),
    ])
  func errors(options: String, field: String, message: String) {
    do {
      _ = try read(options)
      Issue.record("\(options) was read")
    } catch let problems as ResourceProblems {
      #expect(problems.problems.count == 1, "\(problems)")
      #expect(problems.problems.first?.field == field)
      #expect(problems.problems.first?.message.contains(message) == true, "\(problems)")
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("a plugin that is not there is named with the nearest that is")
  func unknownPlugin() throws {
    let body = try ResourceBody(yaml: "service: app\nplugins: {everythin: {}}")
    #expect {
      try ResourceReader.read(ResourceID(.routes, "shop"), body, folder: "", plugins: Self.catalog)
    } throws: { error in
      "\(error)".contains("did you mean \"everything\"?")
    }
  }

  @Test("shares are written as they are read", arguments: ["0%", "100%", "0.5%", "12.3456%", "99.9%"])
  func shares(text: String) {
    #expect(ShareText.parse(text).map(ShareText.format) == text)
  }
}
