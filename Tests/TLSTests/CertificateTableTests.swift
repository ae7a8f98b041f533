import Testing

@testable import TLS

@Suite("Certificates of a worker: listeners, and changes in steps")
struct CertificateTableTests {
  private static let files = Authority.shared.issue(["DNS:any.example"])
  private static let base = try! TLSCertificate.load(
    name: "base", chainPEM: files.chain, keyPEM: files.key, hosts: ["any.example"])

  private func certificate(_ name: String, _ hosts: String...) throws -> TLSCertificate {
    let archived = try Self.base.serving(hosts: hosts).archived
    return try TLSCertificate(name: name, archived: archived.material, secret: archived.secret)
  }

  private func names(_ table: CertificateTable, _ host: String, listener: Int = 0) -> [String] {
    table.candidates(for: Array(host.utf8), listener: listener).map(\.name)
  }

  /// - Returns: those that are shown no more.
  private func settle(_ table: CertificateTable) -> [TLSCertificate] {
    var gone: [TLSCertificate] = []
    while table.settleNext({ gone.append($0) }) {}
    return gone
  }

  @Test("A listener shows what is for all and what is for it, and later listeners as well")
  func listeners() throws {
    let table = CertificateTable()
    table.set(try certificate("all", "a.example", "*.w.example"))
    table.set(try certificate("one", "a.example"), listeners: [1, 3])
    table.set(try certificate("two", "b.w.example"), listeners: [2])
    #expect(names(table, "a.example") == ["all"])
    #expect(names(table, "a.example", listener: 1) == ["all", "one"])
    #expect(names(table, "a.example", listener: 3) == ["all", "one"])
    #expect(names(table, "a.example", listener: 700) == ["all"])
    // An exact host of another listener does not hide a wildcard.
    #expect(names(table, "b.w.example", listener: 1) == ["all"])
    #expect(names(table, "b.w.example", listener: 2) == ["two"])
  }

  @Test("A change shows at once when all of it is prepared")
  func atomic() throws {
    let table = CertificateTable()
    let old = try certificate("replaced", "a.example", "old.example")
    let gone = try certificate("gone", "c.example")
    table.set(old)
    table.set(gone)
    table.stage(try certificate("replaced", "a.example", "new.example"), listeners: [])
    table.stage(try certificate("new", "b.example"), listeners: [5])
    table.stageRemoval(name: "gone")
    func isOld() -> Bool {
      names(table, "old.example") == ["replaced"] && names(table, "new.example").isEmpty
        && names(table, "b.example", listener: 5).isEmpty && names(table, "c.example") == ["gone"]
        && table.candidates(for: Array("a.example".utf8)).first === old
    }
    #expect(isOld())
    table.flip()
    #expect(names(table, "old.example").isEmpty && names(table, "new.example") == ["replaced"])
    #expect(names(table, "b.example", listener: 5) == ["new"] && names(table, "c.example").isEmpty)
    #expect(names(table, "a.example") == ["replaced"])
    let forgotten = settle(table)
    #expect(forgotten.count == 2 && forgotten.contains { $0 === old } && forgotten.contains { $0 === gone })
    #expect(table.count == 2)
  }

  @Test("The last word on a name counts within one change")
  func sameName() throws {
    let table = CertificateTable()
    table.set(try certificate("x", "before.example"))
    // Set twice; removed and set; set and removed; removed twice.
    table.stage(try certificate("x", "first.example"), listeners: [])
    table.stage(try certificate("x", "second.example"), listeners: [])
    #expect(names(table, "before.example") == ["x"])
    table.flip()
    #expect(settle(table).map(\.hosts) == [["before.example"]])
    #expect(names(table, "first.example").isEmpty && names(table, "second.example") == ["x"])
    table.stageRemoval(name: "x")
    table.stage(try certificate("x", "third.example"), listeners: [])
    table.flip()
    #expect(settle(table).map(\.hosts) == [["second.example"]])
    #expect(names(table, "third.example") == ["x"])
    table.stage(try certificate("x", "fourth.example"), listeners: [])
    table.stageRemoval(name: "x")
    #expect(!table.stageRemoval(name: "x"))
    #expect(names(table, "third.example") == ["x"])
    table.flip()
    #expect(settle(table).map(\.hosts) == [["third.example"]])
    #expect(
      table.count == 0 && names(table, "third.example").isEmpty && names(table, "fourth.example").isEmpty)
  }

  @Test("A certificate that other listeners show from now on is not forgotten")
  func movedListeners() throws {
    let table = CertificateTable()
    let moved = try certificate("m", "a.example")
    table.set(moved, listeners: [1])
    table.stage(moved, listeners: [2])
    #expect(names(table, "a.example", listener: 1) == ["m"] && names(table, "a.example", listener: 2).isEmpty)
    table.flip()
    #expect(names(table, "a.example", listener: 1).isEmpty && names(table, "a.example", listener: 2) == ["m"])
    #expect(settle(table).isEmpty)
    #expect(table.count == 1)
  }

  @Test("Says by which of its hosts a certificate was found")
  func choices() throws {
    let table = CertificateTable()
    table.set(try certificate("c", "a.example", "*.b.example"))
    #expect(table.choices(for: "a.example", listener: 0).map(\.host) == ["a.example"])
    #expect(table.choices(for: "a.example", listener: 0).first?.match == .exact)
    let wildcard = try #require(table.choices(for: "x.b.example", listener: 0).first)
    #expect(wildcard.match == .wildcard && wildcard.host == "*.b.example")
    #expect(table.choices(for: "x.y.example", listener: 0).isEmpty)
  }

  @Test("A context tells which hosts a connection may ask for")
  func coverage() throws {
    let bench = Bench()
    let wide = try certificate("wide", "*.a.example")
    bench.table.set(wide)
    bench.table.set(try certificate("own", "own.a.example"))
    bench.table.set(try certificate("hidden", "other.a.example"), listeners: [9])
    let context = try bench.serverContext()
    func covers(_ host: String) -> Bool {
      context.covers(host: host, certificate: wide, serverName: "x.a.example")
    }
    #expect(covers("x.a.example") && covers("y.a.example"))
    #expect(!covers("own.a.example"))
    // What only another listener shows does not count.
    #expect(covers("other.a.example"))
  }
}
