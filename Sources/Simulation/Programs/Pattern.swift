/// Bytes that are not the same anywhere: content whose place and owner can be told from it.
public func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31 ^ ($0 >> 8)) }
}

/// How content differs from what it should be, in a few words; nil where it does not.
public func difference(_ bytes: [UInt8]?, _ expected: [UInt8]) -> String? {
  guard let bytes else { return "none" }
  if bytes == expected { return nil }
  let same = zip(bytes, expected).prefix { $0 == $1 }.count
  return "\(bytes.count) bytes for \(expected.count), the first \(same) of them right"
}
