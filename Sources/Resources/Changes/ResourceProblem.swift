/// One thing that is wrong with a change, for the person or program that has to put it right.
public struct ResourceProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// Nil where no resource can be named, as when a body cannot be parsed.
  public var id: ResourceID?
  /// Which operation of a transaction, from 0; nil where there is only one, or none.
  public var operation: Int?
  /// Where in the resource: `backends[0].service`; empty where all of it is meant.
  public var field: String
  public var message: String
  /// What would be right, where that is known.
  public var hint: String?

  public init(
    _ id: ResourceID?, operation: Int? = nil, field: String = "", _ message: String, hint: String? = nil
  ) {
    self.id = id
    self.operation = operation
    self.field = field
    self.message = message
    self.hint = hint
  }

  /// `routes/shop: backends[0].service: no service is named "orders": did you mean "order"?`
  public var description: String {
    let parts = [id?.description, field.isEmpty ? nil : field, message, hint].compactMap { $0 }
    return parts.joined(separator: ": ")
  }

  /// ``field`` as a JSON Pointer (RFC 6901): `/backends/0/service`.
  public var pointer: String {
    var pointer = ""
    for part in field.split(whereSeparator: { $0 == "." || $0 == "[" }) {
      let text = part.hasSuffix("]") ? part.dropLast() : part
      pointer += "/" + text.replacing("~", with: "~0").replacing("/", with: "~1")
    }
    return pointer
  }
}
