import HTTPCodec
import Testing

@testable import DataPlane

@Suite("Changes of fields")
struct FieldEditsTests {
  private func drops(_ edits: FieldEdits, _ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return edits.drops(ByteRange(start: 0, count: bytes.count), in: bytes.span)
  }

  @Test("names are dropped in any case, and with underscores for hyphens")
  func drops() {
    let edits = FieldEdits()
    #expect(edits.isEmpty && !edits.dropsAny)
    edits.drop(Array("x-user-id".utf8))
    edits.drop(Array("apikey".utf8))
    #expect(edits.dropsAny)
    for name in ["x-user-id", "X-User-ID", "x_user-id", "X_USER_ID", "APIKey"] { #expect(drops(edits, name)) }
    for name in ["x-user", "x-user-id2", "x+user-id", "apikez", "", "user-id"] {
      #expect(!drops(edits, name))
    }
    edits.removeAll()
    #expect(edits.isEmpty && !drops(edits, "apikey"))
  }

  @Test("what was added before goes when its name is dropped; what comes after stays")
  func order() {
    let edits = FieldEdits()
    edits.add("X-A", Array("1".utf8))
    edits.add("X-AB", Array("2".utf8))
    edits.add(Array("x-a: 3\r\nX-B: 4\r\n".utf8))
    edits.drop(Array("x-a".utf8))
    edits.add("X-A", Array("5".utf8))
    #expect(
      String(decoding: edits.lines.copy(0..<edits.lines.count), as: UTF8.self)
        == "X-AB: 2\r\nX-B: 4\r\nX-A: 5\r\n")
  }

  @Test("several names at once take their lines out, wherever they stand, and no others")
  func dropsLinesOfSeveral() {
    let edits = FieldEdits()
    edits.add(Array("X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX_A: 4\r\nX-C: 5\r\n".utf8))
    edits.drop(Array("x-c".utf8))
    edits.add("X-C", Array("6".utf8))
    edits.drop(FieldNames(["X-A", "X-B"]))
    #expect(
      String(decoding: edits.lines.copy(0..<edits.lines.count), as: UTF8.self) == "X_A: 4\r\nX-C: 6\r\n")
    edits.drop(Array("x_a".utf8))
    edits.drop(Array("x-c".utf8))
    #expect(edits.lines.isEmpty && edits.dropsAny)
  }

  @Test("a copy brings back what was said before")
  func copies() {
    let edits = FieldEdits()
    edits.add("X-A", Array("1".utf8))
    edits.drop(Array("x-b".utf8))
    let copy = edits.copy
    edits.drop(Array("x-a".utf8))
    edits.add("X-C", Array("2".utf8))
    edits.restore(copy)
    #expect(String(decoding: edits.lines.copy(0..<edits.lines.count), as: UTF8.self) == "X-A: 1\r\n")
    #expect(drops(edits, "X_B") && !drops(edits, "x-a"))
  }

  @Test("of an answer of the gateway's own, what is dropped goes as well")
  func own() {
    let edits = FieldEdits()
    let lines = Array("Retry-After: 5\r\nX-A: 1\r\nx-a: 2\r\nX-AB: 3\r\n".utf8)
    #expect(edits.kept(of: lines) == lines && !edits.drops(FieldEdits.retryAfter))
    edits.drop(Array("x-a".utf8))
    edits.drop(Array("retry-after".utf8))
    #expect(edits.kept(of: lines) == Array("X-AB: 3\r\n".utf8) && edits.kept(of: []) == [])
    #expect(edits.drops(FieldEdits.retryAfter) && !edits.drops(FieldEdits.contentType))
  }

  @Test(
    "fields that say who calls",
    arguments: [
      ("X-Consumer-Username", true), ("x_consumer_groups", true), ("X-Consumer-Whatever", true),
      ("X-Credential-Identifier", true), ("X-Anonymous_Consumer", true), ("X-Authenticated-Groups", true),
      ("X-Consumer", false), ("X-Consumer-", false), ("X-Consume-r", false), ("Y-Consumer-ID", false),
      ("x", false),
    ])
  func consumerFields(name: String, isOne: Bool) {
    let bytes = Array(name.utf8)
    #expect(ConsumerFields.isOne(ByteRange(start: 0, count: bytes.count), in: bytes.span) == isOne)
  }
}
