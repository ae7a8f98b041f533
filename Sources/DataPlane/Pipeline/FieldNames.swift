import HTTPCodec

/// Names of fields that a plugin has to do with. Immutable, from any thread.
public struct FieldNames: Sendable {
  /// In lower case.
  public let names: [[UInt8]]
  /// The same as ``PackedNames`` has them, without those that are too long for it, and their bits.
  let packed: [UInt8]
  let mask: UInt64

  public init(_ names: some Sequence<String>) {
    self.names = names.map { Array($0.lowercased().utf8) }
    var packed: [UInt8] = []
    var mask: UInt64 = 0
    for name in self.names {
      guard let count = UInt8(exactly: name.count), let last = name.last else { continue }
      packed.append(count)
      packed += name
      mask |= PackedNames.bit(count: name.count, last: last)
    }
    self.packed = packed
    self.mask = mask
  }

  public var isEmpty: Bool { names.isEmpty }

  public func contains(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    for one in names where bytes.equalsIgnoringCase(name, lowercase: one) { return true }
    return false
  }

  /// Whether some servers take the name for one of these: they read `_` as `-`.
  public func mayMean(_ name: ByteRange, in bytes: Span<UInt8>) -> Bool {
    if name.range.isEmpty || mask & PackedNames.bit(of: name, in: bytes) == 0 { return false }
    return PackedNames.mayMean(name, in: bytes, names: packed.span)
  }
}

/// Goes through lines that the gateway has written itself: `name: value` and CRLF each.
public struct LineCursor {
  /// Behind the line that was returned last.
  public private(set) var position: Int

  /// - start: Where a line begins.
  public init(at start: Int = 0) { position = start }

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
