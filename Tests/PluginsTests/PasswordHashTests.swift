import Resources
import Testing

@testable import Plugins

@Suite("Hashes of passwords")
struct PasswordHashTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test(
    "a hash matches its password and nothing else",
    arguments: [
      // As python3's crypt, openssl passwd and htpasswd make them of "secret".
      "$2b$04$i3f3eDBAsoIg7RyRDBBe.uAKRkwrzR3H3XAVWZR0I2tA/egR10hAG",
      "$5$f6CJmBOha3IJpA9l$GRl4YnDaSCFvoxD6tkKrdAFSVcQaDEWoiGa/Vlhl4b2",
      "$6$89A2IDBZPI4JGAlt$0cHzPSTN6S77m5PBBXuju0cTNK45eAXCIUmhaBT0jvxF31eYXNHF.j3P322ZhIJxplyJXWsjOFgfs3QpN2pyo/",
      "$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9",
      "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
      "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    ])
  func aHashMatchesItsPasswordOnly(_ text: String) throws {
    #expect(PasswordHash.isMeant(by: text))
    let hash = try PasswordHash.read(text)
    #expect(hash.matches(bytes("secret")))
    for other in ["", "secre", "secret ", "Secret", "secret\0", "secret\0x", text] {
      #expect(!hash.matches(bytes(other)))
    }
  }

  @Test(
    "what is no hash, or costs too much, is refused",
    arguments: [
      "", "secret", "$", "$$", "$2b$", "$2b$10$short",
      "$2b$3$i3f3eDBAsoIg7RyRDBBe.uAKRkwrzR3H3XAVWZR0I2tA/egR10hAG",
      "$2b$15$i3f3eDBAsoIg7RyRDBBe.uAKRkwrzR3H3XAVWZR0I2tA/egR10hAG",
      "$2x$10$i3f3eDBAsoIg7RyRDBBe.uAKRkwrzR3H3XAVWZR0I2tA/egR10hAG", "$1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
      "$apr1$abcdefghi$h9FWgUz3n9YxylKLlR5SQ/", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ",
      "$apr1$$h9FWgUz3n9YxylKLlR5SQ/",
      "$5$rounds=x$abc$GRl4YnDaSCFvoxD6tkKrdAFSVcQaDEWoiGa/Vlhl4b2",
      "$5$rounds=2000000$abc$GRl4YnDaSCFvoxD6tkKrdAFSVcQaDEWoiGa/Vlhl4b2",
      "$y$jFT$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9", "{SHA}", "{SHA}abcd", "{SSHA}abcd",
      "ab01FAX.bQRSU",
    ])
  func whatIsNoHashIsRefused(_ text: String) {
    #expect(throws: FileProblem.self) { try PasswordHash.read(text) }
  }

  @Test(
    "passwords are not taken for hashes",
    arguments: ["secret", "$ecret", "$", "$ecret$", "$a b$c", "{sha}x", "pa$$word", "$$"])
  func passwordsAreNotTakenForHashes(_ text: String) {
    #expect(PasswordHash.isMeant(by: text) == (text == "$ecret$"))
  }

  @Test("a new hash is bcrypt, with a salt of its own")
  func aNewHashIsBcryptWithASaltOfItsOwn() throws {
    let first = try PasswordHash.make(of: "größe")
    let second = try PasswordHash.make(of: "größe")
    #expect(first.text.hasPrefix("$2b$10$") && first != second)
    #expect(first.matches(bytes("größe")) && second.matches(bytes("größe")))
    #expect(try PasswordHash.read(first.text) == first)
    #expect(throws: FileProblem.self) { try PasswordHash.make(of: String(repeating: "x", count: 73)) }
  }

  @Test("the hash of nobody can be checked")
  func theHashOfNobodyCanBeChecked() throws {
    #expect(try PasswordHash.read(PasswordHash.ofNobody.text) == PasswordHash.ofNobody)
    #expect(!PasswordHash.ofNobody.matches(bytes("secret")))
  }

  @Test(
    "RFC 7617 §2: name and password are parted by the first colon",
    arguments: [
      ("Basic YW5uYTpzZWNyZXQ=", "anna", "secret"), ("bAsIc   YW5uYTpzZWNyZXQ", "anna", "secret"),
      ("Basic YTpiOmM=", "a", "b:c"), ("Basic Og==", "", ""), ("Basic", "", ""), ("Basic ", "", ""),
      ("Basic YW5uYQ==", "", ""), ("Basic YW5uYTpzZWNyZXQ==", "", ""), ("Basic YW5u YTpzZWNyZXQ=", "", ""),
      ("Basic =", "", ""), ("Basic Y", "", ""),
    ])
  func loginsAreRead(_ value: String, _ username: String, _ password: String) throws {
    let read = BasicLogin.read(bytes(value).span)
    let login = try #require(read)
    #expect(login.username == bytes(username) && login.password == bytes(password))
  }

  @Test(
    "other schemes are not meant",
    arguments: ["", "Basi", "Bearer YTpi", "BasicYTpi", "Basic2 YTpi", "\u{0}"])
  func otherSchemesAreNotMeant(_ value: String) {
    let login = BasicLogin.read(bytes(value).span)
    #expect(login == nil)
  }

  @Test("RFC 4648 §4: base64, with its padding or without")
  func base64IsReadAsItIsDefined() {
    for count in 0..<40 {
      let text = String(repeating: "A", count: count)
      #expect((Base64Text.decode(text.utf8) == nil) == (count % 4 == 1))
      #expect(Base64Text.decode(text.utf8).map(\.count) ?? 0 == (count % 4 == 1 ? 0 : count * 3 / 4))
    }
    // RFC 4648 §10.
    #expect(Base64Text.decode("Zm9vYmFy".utf8) == bytes("foobar"))
    #expect(Base64Text.decode("Zm9vYmE=".utf8) == bytes("fooba"))
    #expect(Base64Text.decode("Zm9vYg==".utf8) == bytes("foob"))
    #expect(Base64Text.decode("Zm9vYg=".utf8) == nil && Base64Text.decode("Zm9v====".utf8) == nil)
    #expect(Base64Text.decode("Zm9v-g==".utf8) == nil && Base64Text.decode("Zg==Zg==".utf8) == nil)
  }

  @Test("files of htpasswd are read, and errors name the line")
  func filesOfHtpasswdAreRead() throws {
    let table = try PasswordTable.read(
      bytes("# a\n\nanna:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\r\n bert:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=:x:y"))
    #expect(table.count == 2 && table.hash(of: bytes("bert")) != nil && table.hash(of: bytes("carl")) == nil)
    for (text, line) in [
      ("a\n", 1), ("\n:x", 2), ("a:b", 1), ("#\n#\na:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\na:x", 4),
    ] {
      #expect { try PasswordTable.read(bytes(text)) } throws: { error in
        (error as? FileProblem)?.message.hasPrefix("line \(line): ") == true
      }
    }
  }
}
