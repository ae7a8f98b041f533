import Resources
import TLS

/// A password as it is kept: as its hash.
struct PasswordHash: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// `{SHA}`: SHA-1 without a salt.
    case sha1([UInt8])
    /// Apache's MD5 of a thousand rounds, what `htpasswd` makes when it is asked for nothing else.
    case apr1(salt: [UInt8], digest: [UInt8])
    /// What libcrypt knows: bcrypt, SHA-256 and SHA-512 of `crypt`, yescrypt.
    case crypt(isBcrypt: Bool)
  }

  let text: String
  let kind: Kind

  /// Takes so little time that a worker may do it.
  var isFast: Bool {
    if case .sha1 = kind { return true }
    return false
  }

  /// Takes as long as the hash wants it to; see ``isFast``.
  func matches(_ password: [UInt8]) -> Bool {
    switch kind {
    case .sha1(let digest): return ConstantTime.areEqual(sha1(password), digest)
    case .apr1(let salt, let digest):
      return APR1.digest(of: password, salt: salt).map { ConstantTime.areEqual($0, digest) } ?? false
    case .crypt:
      guard let hash = Crypt.hash(password, setting: text) else { return false }
      return ConstantTime.areEqual(hash, Array(text.utf8))
    }
  }

  // MARK: New ones

  /// 1,024 rounds: 70 ms on the machine that this was measured on.
  private static let bcryptCost = 10

  /// The bcrypt hash of a password. Takes long.
  static func make(of password: String) throws(FileProblem) -> PasswordHash {
    let bytes = Array(password.utf8)
    guard bytes.count <= Bcrypt.passwordBytesMax else {
      throw FileProblem(
        "the password has \(bytes.count) bytes, of which bcrypt takes the first \(Bcrypt.passwordBytesMax)",
        hint: "make it shorter, or give a hash that takes all: openssl passwd -6")
    }
    guard let hash = Crypt.hash(bytes, setting: Bcrypt.newSetting(cost: bcryptCost)) else {
      throw FileProblem("libcrypt cannot make a bcrypt hash", hint: "give a hash instead: openssl passwd -6")
    }
    return PasswordHash(text: String(decoding: hash, as: UTF8.self), kind: .crypt(isBcrypt: true))
  }

  /// One that no known password has, of the kind that ``make(of:)`` makes: for users that there are not, whom
  /// the time of an answer shall not tell from others.
  static let ofNobody = PasswordHash(
    text: "$2b$10$abcdefghijklmnopqrstuuJ0p4UDzSJK7AoX1vRJ5d0m0vJGyPZuW", kind: .crypt(isBcrypt: true))

  // MARK: Reading

  static let kinds = "bcrypt ($2b$, htpasswd -B), $5$ and $6$ (openssl passwd -6), $y$, $apr1$ or {SHA}"

  /// Whether a text is meant as a hash, and not as a password.
  static func isMeant(by text: String) -> Bool {
    let bytes = Array(text.utf8)
    if bytes.first == UInt8(ascii: "{") {
      return bytes.starts(with: "{SHA}".utf8) || bytes.starts(with: "{SSHA}".utf8)
    }
    guard bytes.first == UInt8(ascii: "$"), let end = bytes.dropFirst().firstIndex(of: UInt8(ascii: "$"))
    else {
      return false
    }
    return (1...8).contains(end - 1) && bytes[1..<end].allSatisfy(isLetterOrDigit)
  }

  static func read(_ text: String) throws(FileProblem) -> PasswordHash {
    let bytes = Array(text.utf8)
    let kind: Kind?
    if bytes.starts(with: "{SHA}".utf8) {
      kind = Base64Text.decode(bytes.dropFirst(5)).flatMap { $0.count == 20 ? .sha1($0) : nil }
    } else {
      let parts = bytes.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false).dropFirst().map(
        Array.init)
      guard bytes.first == UInt8(ascii: "$"), let name = parts.first, bytes.count <= 200 else {
        throw FileProblem("this is not a password's hash", hint: kinds)
      }
      switch String(decoding: name, as: UTF8.self) {
      case "2a", "2b", "2y": kind = try bcrypt(parts)
      case "apr1": kind = apr1(parts)
      case "5": kind = try sha2(parts, digestCount: 43)
      case "6": kind = try sha2(parts, digestCount: 86)
      case "y": kind = try yescrypt(parts)
      default:
        throw FileProblem(
          "hashes of the kind $\(String(decoding: name.prefix(8), as: UTF8.self))$ are not taken", hint: kinds
        )
      }
    }
    guard let kind else { throw FileProblem("the hash is not whole", hint: "copy all of it") }
    return PasswordHash(text: text, kind: kind)
  }

  /// Above, a login would keep a thread for seconds.
  private static let bcryptCostMax = 14
  private static let roundsMax = 1_000_000

  private static func bcrypt(_ parts: [[UInt8]]) throws(FileProblem) -> Kind? {
    guard parts.count == 3, parts[1].count == 2, let cost = number(parts[1]), parts[2].count == 53,
      parts[2].allSatisfy(isDigit)
    else { return nil }
    guard (4...bcryptCostMax).contains(cost) else {
      throw FileProblem(
        "bcrypt's cost \(cost) is out of range", hint: "from 4 to \(bcryptCostMax): htpasswd -B -C 10")
    }
    return .crypt(isBcrypt: true)
  }

  private static func apr1(_ parts: [[UInt8]]) -> Kind? {
    guard parts.count == 3, (1...8).contains(parts[1].count), parts[2].count == 22,
      parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F }), parts[2].allSatisfy(isDigit)
    else { return nil }
    return .apr1(salt: parts[1], digest: parts[2])
  }

  private static func sha2(_ parts: [[UInt8]], digestCount: Int) throws(FileProblem) -> Kind? {
    var parts = parts
    if parts.count == 4, parts[1].starts(with: "rounds=".utf8) {
      guard let rounds = number(Array(parts[1].dropFirst(7))) else { return nil }
      guard (1_000...roundsMax).contains(rounds) else {
        throw FileProblem("\(rounds) rounds are out of range", hint: "from 1000 to \(roundsMax)")
      }
      parts.remove(at: 1)
    }
    guard parts.count == 3, parts[1].count <= 16, parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
      parts[2].count == digestCount, parts[2].allSatisfy(isDigit)
    else { return nil }
    return .crypt(isBcrypt: false)
  }

  /// `$y$`, three characters for what it costs, salt, and hash.
  private static func yescrypt(_ parts: [[UInt8]]) throws(FileProblem) -> Kind? {
    guard parts.count == 4, parts[3].count == 43, parts[2].count <= 86,
      parts[1...3].allSatisfy({ $0.allSatisfy(isDigit) })
    else { return nil }
    // `j`, then N as a power of two (B: 2^14) and r (T: 32); crypt(5). 64 MiB at most.
    let cost = parts[1]
    guard cost.count == 3, cost[0] == UInt8(ascii: "j"), cost[1] <= UInt8(ascii: "B"),
      cost[2] <= UInt8(ascii: "T")
    else {
      throw FileProblem(
        "yescrypt's parameters are out of range", hint: "from $y$j75 to $y$jBT, such as mkpasswd makes")
    }
    return .crypt(isBcrypt: false)
  }

  private static func number(_ digits: [UInt8]) -> Int? {
    guard (1...9).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return nil
    }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: false
    }
  }

  /// Of crypt's own base64.
  private static func isDigit(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/")
  }
}

/// Apache's variant of crypt's MD5 (apr_md5_encode).
enum APR1 {
  private static let digits = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let magic = Array("$apr1$".utf8)

  /// As 22 digits; nil where OpenSSL has no MD5.
  static func digest(of password: [UInt8], salt: [UInt8]) -> [UInt8]? {
    var state = [UInt8](repeating: 0, count: MD5.byteCount)
    guard MD5.digest(of: password + salt + password, into: &state) else { return nil }
    var text = password + magic + salt
    for index in password.indices { text.append(state[index % MD5.byteCount]) }
    var rest = password.count
    while rest > 0 {
      text.append(rest & 1 == 1 ? 0 : password[0])
      rest >>= 1
    }
    guard MD5.digest(of: text, into: &state) else { return nil }
    for round in 0..<1_000 {
      text.removeAll(keepingCapacity: true)
      text += round & 1 == 1 ? password : state
      if round % 3 != 0 { text += salt }
      if round % 7 != 0 { text += password }
      text += round & 1 == 1 ? state : password
      guard MD5.digest(of: text, into: &state) else { return nil }
    }
    return encode(state)
  }

  private static func encode(_ state: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    for index in 0..<5 {
      let last = index == 4 ? 5 : index + 12
      append(Int(state[index]) << 16 | Int(state[index + 6]) << 8 | Int(state[last]), 4, to: &text)
    }
    append(Int(state[11]), 2, to: &text)
    return text
  }

  /// The lowest six bits first.
  private static func append(_ group: Int, _ count: Int, to text: inout [UInt8]) {
    for index in 0..<count { text.append(digits[group >> (6 * index) & 63]) }
  }
}
