/// Builds JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them).
enum Schema {
  /// A mapping without other keys.
  static func object(
    _ description: String, required: [String] = [], _ properties: KeyValuePairs<String, JSON>
  ) -> JSON {
    .members([
      "type": "object",
      "description": .string(description),
      "properties": .object(properties.map { JSON.Member(name: $0.key, value: $0.value) }),
      "required": required.isEmpty ? nil : .array(required.map(JSON.string)),
      "additionalProperties": false,
    ])
  }

  /// Another schema of the document, by its name.
  static func reference(_ name: String, _ description: String? = nil) -> JSON {
    .members(["$ref": .string("#/components/schemas/\(name)"), "description": .optional(description)])
  }

  static func text(_ description: String, default: String? = nil, maxLength: Int? = nil) -> JSON {
    .members([
      "type": "string", "description": .string(description), "default": .optional(`default`),
      "maxLength": maxLength.map { .number($0) },
    ])
  }

  static func integer(
    _ description: String, _ range: ClosedRange<Int>, default: Int? = nil
  ) -> JSON {
    .members([
      "type": "integer", "description": .string(description), "minimum": .number(range.lowerBound),
      "maximum": .number(range.upperBound), "default": `default`.map { .number($0) },
    ])
  }

  static func boolean(_ description: String, default: Bool? = nil) -> JSON {
    .members([
      "type": "boolean", "description": .string(description), "default": `default`.map(JSON.boolean),
    ])
  }

  static func choice(_ description: String, _ words: [String], default: String? = nil) -> JSON {
    .members([
      "type": "string", "description": .string(description), "enum": .array(words.map(JSON.string)),
      "default": .optional(`default`),
    ])
  }

  static func list(
    _ description: String, of items: JSON, minimum: Int? = nil, maximum: Int? = nil, default: JSON? = nil
  ) -> JSON {
    .members([
      "type": "array", "description": .string(description), "items": items,
      "minItems": minimum.map { .number($0) }, "maxItems": maximum.map { .number($0) },
      "default": `default`,
    ])
  }

  /// One of several forms.
  static func any(_ description: String, _ forms: [JSON], default: JSON? = nil) -> JSON {
    .members(["description": .string(description), "anyOf": .array(forms), "default": `default`])
  }

  static func word(_ word: String) -> JSON { ["const": .string(word)] }

  /// Settings of a feature, or `off`.
  static func orOff(_ name: String, _ description: String, default: JSON? = nil) -> JSON {
    any(description, [reference(name), word("off")], default: `default`)
  }

  static func duration(_ description: String, default: String? = nil) -> JSON {
    extended(reference("Duration", description), default: `default`.map(JSON.string))
  }

  static func size(_ description: String, default: String? = nil) -> JSON {
    extended(reference("Size", description), default: `default`.map(JSON.string))
  }

  static func percentage(_ description: String, default: String? = nil) -> JSON {
    extended(reference("Percentage", description), default: `default`.map(JSON.string))
  }

  static func file(_ description: String) -> JSON { reference("File", description) }

  private static func extended(_ schema: JSON, default: JSON?) -> JSON {
    guard case .object(var members) = schema, let value = `default` else { return schema }
    members.append(JSON.Member(name: "default", value: value))
    return .object(members)
  }
}
