import HTTPCodec

/// Names of fields that a plugin has to do with. Immutable, from any thread.
public struct FieldNames: Sendable {
  /// In lower case.
  public let names: [[UInt8]]
  /// Without these.
  let edits: FieldEdits

  public init(_ names: some Sequence<String>) {
    self.names = names.map { Array($0.lowercased().utf8) }
    edits = self.names.reduce(into: FieldEdits()) { $0.drop($1) }
  }

  public var isEmpty: Bool { names.isEmpty }

  public func contains(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    for one in names where bytes.equalsIgnoringCase(name, lowercase: one) { return true }
    return false
  }

  /// Whether some servers take the name for one of these: they read `_` as `-`.
  public func mayMean(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool { edits.drops(name, in: bytes) }
}

/// Goes through lines that the gateway has written itself: `name: value` and CRLF each.
public struct LineCursor {
  /// Behind the line that was returned last.
  public private(set) var position = 0

  public init() {}

  public mutating func next(in bytes: Span<UInt8>) -> Field? {
    let start = position
    guard start < bytes.count else { return nil }
    var colon = start
    while colon < bytes.count, bytes[colon] != UInt8(ascii: ":") { colon += 1 }
    let valueStart = min(colon + 2, bytes.count)
    var end = valueStart
    while end < bytes.count, bytes[end] != 13 { end += 1 }
    position = min(end + 2, bytes.count)
    return Field(
      name: ByteRange(start: start, count: colon - start),
      value: ByteRange(start: valueStart, count: end - valueStart), known: .other)
  }
}
