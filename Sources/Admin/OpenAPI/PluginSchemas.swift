import Plugins
import Resources

/// `consumers`, `plugins`, and the options of each plugin, made from what the plugins declare.
enum PluginSchemas {
  static let all: [JSON.Member] =
    PluginCatalog.standard.kinds.map { kind in
      JSON.Member(name: schemaName(kind.name), value: options(kind.options, kind.summary, isAttachment: true))
    } + [
      JSON.Member(
        name: "Plugins",
        value: .members([
          "type": "object", "description": "Plugins by name. Each takes the place of a wider setting's.",
          "properties": .object(
            PluginCatalog.standard.kinds.map {
              JSON.Member(name: $0.name, value: Schema.reference(schemaName($0.name)))
            }),
          "additionalProperties": false,
        ])),
      JSON.Member(name: "Consumer", value: consumer),
      JSON.Member(name: "GlobalPlugin", value: global),
    ]

  private static let consumer = Schema.object(
    "Who calls.",
    [
      "name": Schema.reference("Name"),
      "customID": Schema.text("What others call it; endpoints are told.", maxLength: 1_024),
      "groups": Schema.list("What it belongs to.", of: Schema.reference("Name"), maximum: 100),
      "credentials": .members([
        "type": "object", "description": "What it shows, by the plugin that asks for it.",
        "properties": .object(
          PluginCatalog.standard.kinds.compactMap { kind in
            kind.credentials.map { credentials in
              JSON.Member(
                name: kind.name,
                value: Schema.list(
                  "Any of these.", of: options(credentials.options, "One credential.", isAttachment: false),
                  maximum: 1_000))
            }
          }),
        "additionalProperties": false,
      ]),
      "plugins": Schema.reference(
        "Plugins", "For its requests, in place of those of routes, services and everything."),
    ])

  private static let global: JSON = [
    "type": "object",
    "description": "A plugin that all requests meet which find a route: the plugin's name, and its options.",
    "required": ["name"],
    "properties": ["name": .members(["enum": .array(PluginCatalog.standard.kinds.map { .string($0.name) })])],
  ]

  static let consumerExample: JSON = [
    "name": "alice", "groups": ["gold"],
    "credentials": ["key-auth": [["key": "8b7f0f0f3c1e4a52b7a4a1f3c9d2e6b0"]]],
  ]
  static let globalExample: JSON = ["name": "key-auth", "names": ["x-api-key"]]

  private static func schemaName(_ plugin: String) -> String {
    plugin.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined() + "Options"
  }

  // MARK: Options

  private static func options(_ options: [PluginOption], _ summary: String, isAttachment: Bool) -> JSON {
    var properties = options.map { JSON.Member(name: $0.name, value: schema($0)) }
    if isAttachment {
      properties.append(
        JSON.Member(
          name: "enabled",
          value: Schema.boolean("false switches off what a wider setting has switched on.", default: true)))
    }
    let required = options.filter(\.isRequired).map { JSON.string($0.name) }
    return .members([
      "type": "object", "description": .string(summary), "properties": .object(properties),
      "required": required.isEmpty ? nil : .array(required), "additionalProperties": false,
    ])
  }

  static func schema(_ option: PluginOption) -> JSON {
    guard case .object(var members) = schema(option.type) else { return schema(option.type) }
    members.removeAll { $0.name == "description" }
    members.append(JSON.Member(name: "description", value: .string(option.summary)))
    if let standard = option.standard { members.append(JSON.Member(name: "default", value: json(standard))) }
    return .object(members)
  }

  private static func schema(_ type: OptionType) -> JSON {
    switch type {
    case .flag: ["type": "boolean"]
    case .integer(let range):
      ["type": "integer", "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)]
    case .percentage:
      [
        "type": ["string", "number"], "minimum": 0, "maximum": 100,
        "pattern": #"^(0?\d{1,2}(\.\d{1,4})?|100(\.0{1,4})?)%?$"#,
      ]
    case .text: ["type": "string", "minLength": 1, "pattern": #"^[^\x00-\x1F\x7F]+$"#]
    case .content(let bytesMax): ["type": "string", "maxLength": .number(bytesMax)]
    case .file: ["type": "string", "minLength": 1]
    case .fieldValue:
      [
        "type": "string", "maxLength": 8_192,
        "pattern": #"^([^\x00-\x20\x7F]([^\x00-\x1F\x7F]*[^\x00-\x20\x7F])?)?$"#,
      ]
    case .choice(let words): ["enum": .array(words.map(JSON.string))]
    case .duration: Schema.reference("Duration")
    case .size(let range):
      .members([
        "$ref": "#/components/schemas/Size", "minimum": .number(Int(clamping: range.lowerBound)),
        "maximum": .number(Int(clamping: range.upperBound)),
      ])
    case .token: ["type": "string", "maxLength": 200, "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"]
    case .network:
      [
        "type": "string", "description": "An address, or a network in CIDR form.",
        "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
      ]
    case .regex: Schema.reference("RegularExpression", "RE2.")
    case .service: Schema.reference("Name", "The name of a service.")
    case .list(let items, let maximum):
      .members([
        "anyOf": [
          ["type": "array", "items": schema(items), "maxItems": .number(maximum)], schema(items),
        ]
      ])
    case .map(let keys, let values, let maximum):
      [
        "type": "object", "propertyNames": schema(keys), "additionalProperties": schema(values),
        "maxProperties": .number(maximum),
      ]
    case .object(let options): self.options(options, "", isAttachment: false)
    }
  }

  private static func json(_ value: OptionValue) -> JSON {
    switch value {
    case .flag(let flag): .boolean(flag)
    case .integer(let number): .number(number)
    case .list(let items): .array(items.map(json))
    case .text(let text): .string(text)
    default: .string(value.text)
    }
  }
}
