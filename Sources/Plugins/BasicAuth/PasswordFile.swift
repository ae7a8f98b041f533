import Resources

/// Users and the hashes of their passwords, as a file of `htpasswd` or the option `users` has them.
final class PasswordTable: Sendable {
  private let hashes: [[UInt8]: PasswordHash]
  /// What a user who is not there is measured by.
  let example: PasswordHash?

  var count: Int { hashes.count }

  init(_ hashes: [[UInt8]: PasswordHash]) {
    self.hashes = hashes
    example = hashes.values.first
  }

  func hash(of username: [UInt8]) -> PasswordHash? { hashes[username] }

  static let empty = PasswordTable([:])

  // MARK: Reading

  static let fileBytesMax = 16 << 20
  static let usersMax = 100_000

  /// Lines `user:hash`; what stands behind another colon is a comment, as nginx takes it.
  static func read(_ bytes: [UInt8]) throws(FileProblem) -> PasswordTable {
    var hashes: [[UInt8]: PasswordHash] = [:]
    try LineFile.eachLine(of: bytes) { line throws(FileProblem) in
      let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count >= 2 else {
        throw FileProblem("there is no colon", hint: "each line is user:hash, as htpasswd -B writes it")
      }
      let username = Array(parts[0])
      try Username.check(username)
      let hash = try PasswordHash.read(String(decoding: LineFile.trimmed(parts[1]), as: UTF8.self))
      guard hashes.updateValue(hash, forKey: username) == nil else {
        throw FileProblem("the user is there before", hint: "keep one of the lines")
      }
      guard hashes.count <= usersMax else { throw FileProblem("more than \(usersMax) users") }
    }
    return PasswordTable(hashes)
  }
}

/// Names of users (RFC 7617 §2).
enum Username {
  static let bytesMax = 255

  static func check(_ name: [UInt8]) throws(FileProblem) {
    guard !name.isEmpty, name.count <= bytesMax else {
      throw FileProblem("a user's name has 1 to \(bytesMax) bytes, this one \(name.count)")
    }
    // It is sent in a field, whose readers take spaces at its ends for none of it.
    guard name.first != 0x20, name.last != 0x20, name.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != 0x3A })
    else {
      throw FileProblem(
        "this cannot be a user's name (RFC 7617 §2)",
        hint: "no colon, no control character, no space at its ends")
    }
  }
}

/// What a request shows.
struct BasicLogin: Equatable {
  var username: [UInt8]
  var password: [UInt8]

  /// More is no password that anybody has.
  private static let textBytesMax = 1_400

  /// - Parameter value: of a field `Authorization`.
  /// - Returns: nil where it is not of this scheme; what is of it and not well-formed has no user.
  static func read(_ value: Span<UInt8>) -> BasicLogin? {
    let scheme = "basic ".utf8.span
    guard value.count >= scheme.count - 1 else { return nil }
    for index in 0..<min(scheme.count, value.count) {
      let byte = value[index]
      let lower = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
      if lower != scheme[index] { return nil }
    }
    var text: [UInt8] = []
    if value.count <= textBytesMax {
      text.reserveCapacity(value.count)
      for index in min(scheme.count, value.count)..<value.count { text.append(value[index]) }
    }
    let nobody = BasicLogin(username: [], password: [])
    guard let bytes = Base64Text.decode(text.drop { $0 == 0x20 }),
      let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
    else { return nobody }
    return BasicLogin(username: Array(bytes[..<colon]), password: Array(bytes[(colon + 1)...]))
  }
}
