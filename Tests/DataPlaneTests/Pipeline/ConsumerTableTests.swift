import Resources
import Testing

@testable import DataPlane

@Suite("Consumers of a worker")
struct ConsumerTableTests {
  private let table = ConsumerTable()

  private func consumer(_ name: String, keys: [String]) -> Consumer {
    var consumer = Consumer(name: name)
    consumer.credentials = keys.map { key in
      ConsumerCredential(
        plugin: "key-auth",
        credential: Credential(lookup: Array(key.utf8), kept: OptionValues([]), content: ()))
    }
    return consumer
  }

  private func found(_ key: String) -> String? { table.find(Array(key.utf8), of: "key-auth")?.consumer.name }

  private func apply(_ changes: [ConsumerChange], revision: UInt64) {
    for change in changes { table.stage(change, revision: revision) }
    table.flip(revision: revision)
    while !table.settle(.endless) {}
  }

  @Test("a change is seen when it takes effect, all of it, and nothing of it before")
  func atOnce() {
    apply(
      [.set(number: 0, consumer("alice", keys: ["a", "b"])), .set(number: 1, consumer("bob", keys: ["c"]))],
      revision: 1)
    #expect(found("a") == "alice" && found("b") == "alice" && found("c") == "bob" && found("d") == nil)
    #expect(table.consumer(named: "bob")?.consumer.number == 1)
    let before = table.find(Array("a".utf8), of: "key-auth")!

    // A key goes from one to the other, one goes, one comes.
    table.stage(.set(number: 0, consumer("alice", keys: ["b"])), revision: 2)
    table.stage(.set(number: 1, consumer("bob", keys: ["a", "d"])), revision: 2)
    #expect(found("a") == "alice" && found("b") == "alice" && found("c") == "bob" && found("d") == nil)
    #expect(table.isCurrent(before))
    table.flip(revision: 2)
    #expect(found("a") == "bob" && found("b") == "alice" && found("c") == nil && found("d") == "bob")
    #expect(!table.isCurrent(before))
    while !table.settle(.endless) {}
    #expect(found("a") == "bob" && found("b") == "alice" && found("c") == nil && found("d") == "bob")
  }

  @Test("a number may be another consumer's in the same change")
  func numbersAreUsedAgain() {
    apply([.set(number: 0, consumer("alice", keys: ["a"]))], revision: 1)
    apply([.remove(number: 0), .set(number: 0, consumer("carol", keys: ["a"]))], revision: 2)
    #expect(found("a") == "carol")
    #expect(table.consumer(named: "alice") == nil && table.consumer(named: "carol") != nil)
    apply([.remove(number: 0)], revision: 3)
    #expect(found("a") == nil && table.count == 0 && table.consumer(named: "carol") == nil)
  }

  @Test("credentials of other plugins are other credentials")
  func plugins() {
    apply([.set(number: 0, consumer("alice", keys: ["a"]))], revision: 1)
    #expect(table.find(Array("a".utf8), of: "basic-auth") == nil)
    // Names are none.
    #expect(found("alice") == nil)
  }
}
