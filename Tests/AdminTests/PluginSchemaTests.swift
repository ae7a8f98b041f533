import Foundation
import Plugins
import Testing

@testable import Admin
@testable import Resources

/// What the OpenAPI document says of plugins' options, beside what their reader accepts.
///
/// Left out is what a schema cannot say: bounds of durations and of sizes with a unit, whether an expression can be
/// compiled and a network has bits behind its prefix, and texts of numbers, which YAML need not quote.
@Suite("Schemas of plugins' options")
struct PluginSchemaTests {
  /// JSON texts; those that are fine first.
  private struct Candidates {
    var fine: [String]
    var wrong: [String]
    var all: [String] { fine + wrong }
  }

  private static func text(_ count: Int) -> String { quote(String(repeating: "x", count: count)) }

  private static func quote(_ text: String) -> String {
    var json = JSONText()
    json.string(text)
    return json.text
  }

  private static func candidates(_ type: OptionType) -> Candidates {
    var found = simple(type)
    found.wrong.append("null")
    return found
  }

  private static func simple(_ type: OptionType) -> Candidates {
    switch type {
    case .flag: return Candidates(fine: ["true", "false"], wrong: ["\"on\"", "1", "[]", "{}"])
    case .integer(let range):
      let above = range.upperBound < Int.max / 2 ? ["\(range.upperBound + 1)"] : []
      return Candidates(
        fine: ["\(range.lowerBound)", "\(range.upperBound)"],
        wrong: above + ["\(range.lowerBound - 1)", "1.5", "\"x\"", "true", "{}"])
    case .percentage:
      return Candidates(
        fine: [
          "\"0%\"", "\"100%\"", "\"12.5%\"", "\"0.0001%\"", "\"100.0000%\"", "\"7\"", "20", "0.5", "100",
        ],
        wrong: ["\"101%\"", "\"100.1%\"", "101", "-1", "\"-1%\"", "\"1.23456%\"", "\"x\"", "\"\"", "true"])
    case .text:
      return Candidates(fine: ["\"a b\"", "\"ü\""], wrong: ["\"\"", quote("a\nb"), quote("\u{7F}"), "{}"])
    case .content(let bytesMax):
      return Candidates(fine: ["\"\"", quote("a\nb"), text(bytesMax)], wrong: [text(bytesMax + 1), "{}"])
    case .choice(let words): return Candidates(fine: words.map(quote), wrong: ["\"nothing\"", "\"\"", "{}"])
    case .duration(let range):
      return Candidates(
        fine: [range.lowerBound, range.upperBound].map { quote(DurationText.format($0)) },
        wrong: ["\"\"", "\"x\"", "\"1s1m\"", "\"s\"", "5", "{}"])
    case .size(let range):
      return Candidates(
        fine: ["\(range.lowerBound)", "\(min(range.upperBound, 1 << 50))"],
        wrong: ["-1", "1.5", "\"\"", "\"x\"", "\"1XB\"", "{}"]
          + (range.lowerBound > 0 ? ["\(range.lowerBound - 1)"] : [])
          + (range.upperBound < 1 << 50 ? ["\(range.upperBound + 1)"] : []))
    case .token:
      return Candidates(
        fine: ["\"X-A\"", "\"!#$%&'*+-.^_`|~1\"", text(200)],
        wrong: ["\"\"", "\"a b\"", "\"a:\"", "\"ü\"", text(201), "{}"])
    case .fieldValue:
      return Candidates(
        fine: ["\"\"", "\"a\"", "\"a b, c\"", text(8_192)],
        wrong: ["\" a\"", "\"a \"", "\" \"", quote("a\r\nb"), quote("a\tb"), text(8_193), "{}"])
    case .network:
      return Candidates(
        fine: ["\"10.0.0.0/8\"", "\"::1\"", "\"2001:db8::/32\"", "\"192.0.2.1\""],
        wrong: ["\"\"", "\"x\"", "\"10.0.0.0/x\"", "\"10.0.0.0/\"", "{}"])
    case .regex: return Candidates(fine: ["\"^a+$\""], wrong: ["\"\"", text(4_097), "{}"])
    case .file: return Candidates(fine: ["\"a.txt\"", "\"/a b\""], wrong: ["\"\"", "{}"])
    case .service:
      return Candidates(
        fine: ["\"shop\"", "\"0.a_b-c\"", text(253)], wrong: ["\"\"", "\"a b\"", "\"-a\"", text(254), "{}"])
    case .list(let items, let maximum): return list(items, maximum)
    case .map(let keys, let values, let maximum): return map(keys, values, maximum)
    case .object(let options): return object(options)
    }
  }

  private static func list(_ items: OptionType, _ maximum: Int) -> Candidates {
    let item = candidates(items)
    return Candidates(
      fine: ["[]"] + item.fine + item.fine.map { "[\($0)]" }
        + ["[" + Array(repeating: item.fine[0], count: maximum).joined(separator: ",") + "]"],
      wrong: item.wrong.map { "[\($0)]" } + item.wrong.filter { $0 != "[]" }
        + ["[" + Array(repeating: item.fine[0], count: maximum + 1).joined(separator: ",") + "]"])
  }

  private static func map(_ keys: OptionType, _ values: OptionType, _ maximum: Int) -> Candidates {
    let value = candidates(values)
    func entries(_ count: Int) -> String {
      "{" + (0..<count).map { "\"k\($0)\":\(value.fine[0])" }.joined(separator: ",") + "}"
    }
    let isChoice = if case .choice = keys { true } else { false }
    let key = candidates(keys)
    let badKeys = key.wrong.filter { $0.hasPrefix("\"") }
    return Candidates(
      fine: ["{}", "{\(key.fine[0]):\(value.fine[0])}"] + (isChoice ? [] : [entries(maximum)]),
      wrong: ["[]", "\"x\"", entries(maximum + 1)] + badKeys.map { "{\($0):\(value.fine[0])}" }
        + value.wrong.map { "{\(key.fine[0]):\($0)}" })
  }

  private static func object(_ options: [PluginOption]) -> Candidates {
    let required = options.filter(\.isRequired)
    func body(_ option: PluginOption?, _ value: String) -> String {
      var members = required.filter { $0.name != option?.name }.map {
        "\"\($0.name)\":\(candidates($0.type).fine[0])"
      }
      if let option { members.append("\"\(option.name)\":\(value)") }
      return "{" + members.joined(separator: ",") + "}"
    }
    var found = Candidates(fine: [body(nil, "")], wrong: ["[]", "\"x\""])
    for option in options {
      let values = candidates(option.type)
      found.fine += values.fine.map { body(option, $0) }
      found.wrong += values.wrong.map { body(option, $0) }
    }
    found.wrong.append(body(PluginOption("colour", .flag, "Unknown."), "1"))
    if !required.isEmpty { found.wrong.append("{}") }
    return found
  }

  // MARK: Verdicts

  private func isRead(_ json: String, _ option: PluginOption) throws -> Bool {
    let node = try JSONDocument.parse(Array("{\"\(option.name)\":\(json)}".utf8))
    let diagnostics = Diagnostics(path: "", folder: "", plugins: .empty)
    let value = Value(node: node, place: .root, diagnostics: diagnostics)
    return OptionReader.read(value, [option]) != nil
  }

  private func isValid(_ json: String, _ schema: [String: Any], _ validator: SchemaValidator) throws -> Bool {
    let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    do {
      try validator.validate(value, schema)
      return true
    } catch {
      return false
    }
  }

  private func validator() throws -> SchemaValidator {
    let routes = AdminRoutes(
      gateway: FakeBackend(), resources: FakeResources(), limits: AdminServer.Limits()
    ).all
    let text = OpenAPIDocument.make(routes).text
    let document = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    return SchemaValidator(
      schemas: try #require((document?["components"] as? [String: Any])?["schemas"] as? [String: Any]))
  }

  @Test(
    "The reader and the schema accept and refuse the same",
    arguments: PluginCatalog.standard.kinds.map { $0.name })
  func agree(plugin: String) throws {
    let kind = try #require(PluginCatalog.standard[plugin])
    let validator = try validator()
    for option in kind.options + (kind.credentials?.options ?? []) {
      let schema = try #require(
        try JSONSerialization.jsonObject(with: Data(PluginSchemas.schema(option).text.utf8)) as? [String: Any]
      )
      let candidates = Self.candidates(option.type)
      for (json, isFine) in candidates.fine.map({ ($0, true) }) + candidates.wrong.map({ ($0, false) }) {
        let (read, valid) = (try isRead(json, option), try isValid(json, schema, validator))
        #expect(read == isFine, "\(option.name): \(json.prefix(200)): the reader")
        #expect(valid == isFine, "\(option.name): \(json.prefix(200)): the schema")
      }
    }
  }
}
