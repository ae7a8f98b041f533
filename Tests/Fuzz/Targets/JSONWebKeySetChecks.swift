import TLS

@testable import Plugins

/// Sets of keys, as issuers publish them.
///
/// - What is taken is a JSON object with an array `keys`, and has no more keys than this has objects.
/// - A key is offered for nothing but what it goes with, by its name and without one.
/// - Read again, it is the same.
enum JSONWebKeySetChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    guard let set = try? KeySet.read(input) else { return }
    let members = PlainJSON.read(input, depthMax: JSONReading.depthMax)?.members
    guard let list = members?.first(where: { Array($0.name.utf8) == Array("keys".utf8) })?.value.elements
    else {
      throw BrokenProperty("a set of keys that is none")
    }
    let objects = list.compactMap(\.members)
    try require(!set.keys.isEmpty && set.keys.count <= objects.count, "\(set.keys.count) keys")
    for key in set.keys {
      try require(objects.contains { isSource($0, key) }, "a key that is none of those that were sent")
      for algorithm in JWTAlgorithm.allCases {
        let isServed = key.serves(algorithm)
        try require(
          !isServed || algorithm.goesWith(key.key), "a key serves \(algorithm) which it does not go with")
        for found in set.candidates(key.identifier, algorithm) {
          try require(
            found.identifier == key.identifier && found.serves(algorithm), "a key that was not asked for")
        }
        if isServed {
          try require(!set.candidates(key.identifier, algorithm).isEmpty, "a key is not found by its name")
          try require(!set.candidates(nil, algorithm).isEmpty, "a key is not found without a name")
        }
      }
    }
    let again = try? KeySet.read(input)
    try require(again?.keys.map(\.identifier) == set.keys.map(\.identifier), "read again, it is another one")
  }

  private static func isSource(_ object: [PlainJSON.Member], _ key: SetKey) -> Bool {
    func text(_ name: String) -> String? {
      guard case .string(let text)? = object.first(where: { $0.name == name })?.value else { return nil }
      return text
    }
    let type: String
    switch key.key.kind {
    case .rsa: type = "RSA"
    case .ed25519: type = "OKP"
    default: type = "EC"
    }
    return text("kty") == type && (text("kid").map { Array($0.utf8) } ?? []) == key.identifier
      && (text("use") ?? "sig") == "sig" && (text("alg") == nil || text("alg") == key.algorithm?.name)
  }
}
