import Resources
import Runtime
import Testing

@testable import DataPlane

struct RouteTableTests {
  @Test("A removed route is gone, and what it hid appears")
  func removal() {
    let table = RouteTable([
      Route("wide", hosts: ["*.com"]),
      Route("narrow", hosts: ["a.com", "b.com"], .prefix("/x"), .exact("/y")),
    ])
    #expect(table.route(for: WrittenRequest("/x", host: "a.com"))?.name == "narrow")
    #expect(table.remove(number: 1))
    #expect(!table.remove(number: 1))
    #expect(!table.remove(number: 7))
    #expect(table.count == 1)
    #expect(table.route(for: WrittenRequest("/x", host: "a.com"))?.name == "wide")
    #expect(table.route(for: WrittenRequest("/y", host: "b.com"))?.name == "wide")
  }

  @Test("An inserted route is there, before later ones of the same rank")
  func insertion() {
    let table = RouteTable([Route("zero", hosts: ["a.com"]), Route("one", hosts: ["b.com"])])
    table.insert(Route("five"), number: 5)
    #expect(table.route(for: WrittenRequest(host: "c.com"))?.number == 5)
    table.insert(Route("three"), number: 3)
    #expect(table.route(for: WrittenRequest(host: "c.com"))?.name == "three")
    table.insert(Route("other one", hosts: ["c.com"]), number: 1)
    #expect(table.route(for: WrittenRequest(host: "b.com"))?.name == "three")
    #expect(table.route(for: WrittenRequest(host: "c.com"))?.name == "other one")
    #expect(table.count == 4)
    #expect(table.route(number: 4) == nil)
  }

  @Test("Nothing is left when all routes are removed")
  func nothingLeft() {
    let routes = [
      Route(
        "a", hosts: ["a.com", "*.b.com", "a.com"], .prefix("/x"), .prefix("/x/"), .exact("/x"), .regex("/x.*")
      ),
      Route("b", .prefix("/").header("x", regex: "1").query("y", regex: "1"), .regex("/x.*")),
    ]
    let table = RouteTable(routes)
    #expect(table.indexCounts.allSatisfy { $0 > 0 })
    table.remove(number: 0)
    #expect(table.route(for: WrittenRequest("/xy"))?.name == "b")
    table.remove(number: 1)
    #expect(table.indexCounts.allSatisfy { $0 == 0 })
    #expect(table.route(for: WrittenRequest("/x", host: "a.com")) == nil)
  }

  @Test("Equal expressions are compiled once")
  func sharedExpressions() {
    let table = RouteTable((0..<50).map { Route("r\($0)", hosts: ["h\($0).com"], .regex("/v[0-9]+")) })
    #expect(table.indexCounts.last == 1)
    #expect(table.route(for: WrittenRequest("/v42", host: "h31.com"))?.number == 31)
  }

  @Test("Backends take their shares, those without a weight or a service none")
  func backends() {
    var split = Route("split")
    split.backends = [
      Backend(service: "c", weight: 3), Backend(service: "a", weight: 0), Backend(service: "b", weight: 1),
      Backend(service: "missing", weight: 4),
    ]
    var none = Route("none")
    none.backends = [Backend(service: "a", weight: 0)]
    var only = Route("only")
    only.backends = [Backend(service: "a", weight: 0), Backend(service: "b", weight: 7)]
    let table = RouteTable(seed: 1)
    let services = [[2, 0, 1], [0], [0, 1]]
    for (number, route) in [split, none, only].enumerated() {
      table.stage(
        RouteEntry(number: number, order: 0, route: route, services: services[number], listeners: []))
    }
    table.finish([0, 1, 2])
    var random = SplitMix64(seed: 5)
    var picks: [Int: Int] = [:]
    for _ in 0..<8_000 { picks[table.route(number: 0)!.pickBackend(random: &random), default: 0] += 1 }
    #expect(picks[0] == nil)
    #expect((2_850...3_150).contains(picks[2]!))
    #expect((900...1_100).contains(picks[1]!))
    #expect((3_850...4_150).contains(picks[-1]!))
    #expect(table.route(number: 1)!.pickBackend(random: &random) == -1)
    #expect(table.route(number: 2)!.pickBackend(random: &random) == 1)
  }

  @Test("Hostile hosts match nothing, and are not read beyond their limit")
  func hostileHosts() {
    let long = String(repeating: "a.", count: 126) + "com"
    let table = RouteTable([
      Route("wildcard", hosts: ["*.com"]), Route("long", hosts: ["*." + long.dropFirst(4)]),
    ])
    #expect(table.route(for: WrittenRequest(host: long))?.name == "long")
    #expect(table.route(for: WrittenRequest(host: "a." + long)) == nil)
    for host in [".", "..", "com", ".com", "com.", "a..", "*.com.", "\0.com\0", "é", " "] {
      #expect(table.route(for: WrittenRequest(host: host)) == nil, "\(host)")
    }
    #expect(table.route(for: WrittenRequest(host: "..com"))?.name == "wildcard")
  }

  @Test("Paths of thousands of segments")
  func hostilePaths() {
    let deep = String(repeating: "/a", count: 100)
    let table = RouteTable([
      Route("deep", .prefix(deep)), Route("deeper", .prefix(deep + "/b")), Route("one", .prefix("/a")),
      Route("seventy", .prefix(String(repeating: "/a", count: 70))), Route("exact", .exact(deep + deep)),
    ])
    func name(_ path: String) -> String? { table.route(for: WrittenRequest(path))?.name }
    #expect(name(String(repeating: "/a", count: 4_000)) == "deep")
    #expect(name(deep + "/b/c") == "deeper")
    #expect(name(deep + "b") == "seventy")
    #expect(name(deep + deep) == "exact")
    #expect(name(String(repeating: "/a", count: 69)) == "one")
    #expect(name(String(repeating: "/", count: 8_192)) == nil)
    #expect(name("/" + String(repeating: "a", count: 8_192)) == nil)
    #expect(name("") == nil)
    #expect(name("a") == nil)
  }

  @Test("Ten thousand hosts, each with its own route, coming and going")
  func manyHosts() {
    let table = RouteTable((0..<10_000).map { Route("r\($0)", hosts: ["www.tenant-\($0).example.com"]) })
    for index in stride(from: 0, to: 10_000, by: 3) { table.remove(number: index) }
    for index in 0..<10_000 {
      let found = table.route(for: WrittenRequest(host: "www.tenant-\(index).example.com"))?.number
      #expect(found == (index % 3 == 0 ? nil : index))
    }
    #expect(table.count == 6_666)
  }

  @Test("Where all else is equal the order decides, then the name, whatever the numbers")
  func order() {
    let table = RouteTable(seed: 1)
    for (number, (name, order)) in [("b", 5), ("c", 5), ("a", 7), ("d", 5)].enumerated() {
      table.stage(RouteTable.entry(Route(name), number: number, order: UInt64(order)))
    }
    table.finish([0, 1, 2, 3])
    for expected in ["b", "c", "d", "a"] {
      let found = table.route(for: WrittenRequest())
      #expect(found?.name == expected)
      table.remove(number: found!.number)
    }
    #expect(table.route(for: WrittenRequest()) == nil)
  }

  @Test("A change tells which routes are no more, and what replaces them")
  func gone() throws {
    let table = RouteTable([Route("a"), Route("b")])
    let (first, second) = (table.route(number: 0)!, table.route(number: 1)!)
    table.stage(RouteTable.entry(Route("a", hosts: ["x.com"]), number: 0))
    table.stageRemoval(number: 1)
    table.flip()
    let replaced = try #require(table.settle(number: 0))
    #expect(replaced.gone === first && replaced.successor === table.route(number: 0))
    let removed = try #require(table.settle(number: 1))
    #expect(removed.gone === second && removed.successor == nil)
    #expect(table.settle(number: 0) == nil && table.settle(number: 1) == nil)
    #expect(first.phase == .gone && second.phase == .gone && first.predecessor == nil)
    #expect(replaced.successor?.predecessor == nil)
  }
}
