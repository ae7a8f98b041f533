import Foundation

/// Checks values against the part of JSON Schema that the document uses; anything else in a schema is
/// an error, so that nothing goes unchecked.
struct SchemaValidator {
  struct Failure: Error, CustomStringConvertible {
    var place: String
    var reason: String
    var description: String { "\(place): \(reason)" }
  }

  /// Schemas of the document by name.
  let schemas: [String: Any]

  static let annotations: Set<String> = ["description", "default", "examples", "format"]
  static let keywords: Set<String> = [
    "$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "oneOf", "allOf", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern",
    "maxProperties", "propertyNames",
  ]

  func validate(_ value: Any, _ schema: [String: Any], at place: String = "") throws {
    for key in schema.keys where !Self.keywords.contains(key) && !Self.annotations.contains(key) {
      throw Failure(place: place, reason: "the schema has \(key), which is not known here")
    }
    func fail(_ reason: String) -> Failure { Failure(place: place, reason: reason) }
    if let reference = schema["$ref"] as? String { try validate(value, target(reference), at: place) }
    if let type = schema["type"] {
      let types = type as? [String] ?? [type as? String ?? ""]
      guard types.contains(where: { Self.isOf($0, value) }) else {
        throw fail("\(value) is not \(types)")
      }
    }
    if let words = schema["enum"] as? [AnyHashable], !words.contains(where: { Self.isSame($0, value) }) {
      throw fail("\(value) is none of \(words)")
    }
    if let const = schema["const"] as? AnyHashable, !Self.isSame(const, value) {
      throw fail("\(value) is not \(const)")
    }
    try validateForms(value, schema, place)
    switch value {
    case let text as String: try validate(text, schema, place)
    case let items as [Any]: try validate(items, schema, place)
    case let object as [String: Any]: try validate(object, schema, place)
    default: try validateNumber(value, schema, place)
    }
  }

  func target(_ reference: String) throws -> [String: Any] {
    let name = reference.replacingOccurrences(of: "#/components/schemas/", with: "")
    guard let schema = schemas[name] as? [String: Any] else {
      throw Failure(place: reference, reason: "there is no such schema")
    }
    return schema
  }

  private func validateForms(_ value: Any, _ schema: [String: Any], _ place: String) throws {
    for form in schema["allOf"] as? [[String: Any]] ?? [] { try validate(value, form, at: place) }
    for key in ["anyOf", "oneOf"] {
      guard let forms = schema[key] as? [[String: Any]] else { continue }
      var reasons: [String] = []
      for form in forms {
        do { try validate(value, form, at: place) } catch { reasons.append("\(error)") }
      }
      let fitting = forms.count - reasons.count
      if fitting == 0 || key == "oneOf" && fitting > 1 {
        throw Failure(place: place, reason: "\(fitting) forms fit: \(reasons)")
      }
    }
  }

  /// Any value: the forms of names are schemas as well.
  private func validate(_ name: String, _ schema: [String: Any], at place: String) throws {
    try validate(name as Any, schema, at: place)
  }

  private func validate(_ text: String, _ schema: [String: Any], _ place: String) throws {
    let count = text.unicodeScalars.count
    guard count >= schema["minLength"] as? Int ?? 0, count <= schema["maxLength"] as? Int ?? .max else {
      throw Failure(place: place, reason: "\(text) has the wrong length")
    }
    if let pattern = schema["pattern"] as? String,
      text.range(of: pattern, options: .regularExpression) == nil
    {
      throw Failure(place: place, reason: "\(text) does not match \(pattern)")
    }
  }

  private func validate(_ items: [Any], _ schema: [String: Any], _ place: String) throws {
    guard items.count >= schema["minItems"] as? Int ?? 0, items.count <= schema["maxItems"] as? Int ?? .max
    else { throw Failure(place: place, reason: "the list has the wrong length") }
    guard let form = schema["items"] as? [String: Any] else { return }
    for (index, item) in items.enumerated() { try validate(item, form, at: "\(place)[\(index)]") }
  }

  private func validate(_ object: [String: Any], _ schema: [String: Any], _ place: String) throws {
    for name in schema["required"] as? [String] ?? [] where object[name] == nil {
      throw Failure(place: place, reason: "\(name) is missing")
    }
    let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
    guard object.count <= schema["maxProperties"] as? Int ?? .max else {
      throw Failure(place: place, reason: "there are too many properties")
    }
    for (name, value) in object {
      if let names = schema["propertyNames"] as? [String: Any] { try validate(name, names, at: place) }
      if let property = properties[name] {
        try validate(value, property, at: "\(place).\(name)")
      } else if let others = schema["additionalProperties"] as? [String: Any] {
        try validate(value, others, at: "\(place).\(name)")
      } else if schema["additionalProperties"] as? Bool == false {
        throw Failure(place: place, reason: "\(name) is not known")
      }
    }
  }

  private func validateNumber(_ value: Any, _ schema: [String: Any], _ place: String) throws {
    guard let number = value as? NSNumber else { return }
    guard number.doubleValue >= (schema["minimum"] as? NSNumber)?.doubleValue ?? -.infinity,
      number.doubleValue <= (schema["maximum"] as? NSNumber)?.doubleValue ?? .infinity
    else { throw Failure(place: place, reason: "\(number) is out of range") }
  }

  private static func isBoolean(_ value: Any) -> Bool {
    // A number that is a boolean says so by its type's code.
    (value as? NSNumber).map { unsafe String(cString: $0.objCType) == "c" } ?? (value is Bool)
  }

  private static func isSame(_ wanted: AnyHashable, _ value: Any) -> Bool {
    isBoolean(wanted) == isBoolean(value) && (value as? AnyHashable) == wanted
  }

  private static func isOf(_ type: String, _ value: Any) -> Bool {
    switch type {
    case "object": value is [String: Any]
    case "array": value is [Any]
    case "string": value is String
    case "boolean": isBoolean(value)
    case "null": value is NSNull
    case "number": !isBoolean(value) && value is NSNumber
    case "integer":
      !isBoolean(value) && (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } ?? false
    default: false
    }
  }
}
