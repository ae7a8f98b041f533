import Resources
import Runtime
import Testing

@testable import DataPlane

/// What plugins find by a service's name, while the services change.
@Suite("Services by name")
struct ServiceNamesTests {
  /// Its loop does not turn: each change is made in one go, however slow the machine.
  private let data = DataPlaneWorker(
    worker: Worker(index: 0, seam: EpollSeam()), workerCount: 1,
    changeBudget: ChangeBudget(nanoseconds: .max, entriesMax: .max))
  private var table: ServiceTable { data.serviceTable }

  private func set(_ number: Int, _ name: String) -> ServiceChange {
    .set(number: number, Service(name: name, endpoints: []), endpoints: [], security: nil)
  }

  private func settle(_ changes: [ServiceChange]) {
    for change in changes { table.settle(number: change.number) }
    while !table.settleRest(.endless) {}
    table.endChange()
  }

  private func apply(_ changes: ServiceChange...) {
    for change in changes { table.stage(change) }
    table.flip()
    settle(changes)
  }

  private func found(_ names: String...) -> [Int?] { names.map { table.number(named: $0) } }

  @Test("a change is seen when it takes effect, all of it, and nothing of it before")
  func atOnce() {
    apply(set(0, "a"), set(1, "b"), set(2, "c"))
    #expect(found("a", "b", "c", "d") == [0, 1, 2, nil])
    // One goes and another takes its number, one comes with a new number, one is replaced.
    let changes: [ServiceChange] = [.remove(number: 0), set(0, "d"), set(3, "e"), set(1, "b")]
    for change in changes { table.stage(change) }
    #expect(found("a", "b", "c", "d", "e") == [0, 1, 2, nil, nil])
    table.flip()
    #expect(found("a", "b", "c", "d", "e") == [nil, 1, 2, 0, 3])
    #expect(table.service(0)?.name == "d")
    settle(changes)
    #expect(found("a", "b", "c", "d", "e") == [nil, 1, 2, 0, 3])
  }

  @Test("a name may get another number, and may go and come again within a change")
  func again() {
    apply(set(0, "a"), set(1, "b"))
    let changes: [ServiceChange] = [
      .remove(number: 0), set(5, "a"), .remove(number: 1), set(1, "c"), .remove(number: 1), set(1, "c"),
    ]
    for change in changes { table.stage(change) }
    #expect(found("a", "b", "c") == [0, 1, nil])
    table.flip()
    #expect(found("a", "b", "c") == [5, nil, 1])
    settle(changes)
    #expect(found("a", "b", "c") == [5, nil, 1])
    // What another service was to take does not stay behind.
    apply(set(5, "x"), set(5, "a"))
    #expect(found("a", "x") == [5, nil])
    apply(.remove(number: 5), .remove(number: 1))
    #expect(found("a", "b", "c", "x") == [nil, nil, nil, nil])
  }

  @Test("random changes leave the names that there are")
  func random() {
    var random = SplitMix64(seed: 7)
    var numbers: [String: Int] = [:]
    for _ in 0..<500 {
      var changes: [ServiceChange] = []
      for _ in 0...random.next(below: 4) {
        let name = "s\(random.next(below: 6))"
        if let number = numbers[name] {
          if random.next(below: 2) == 0 {
            changes.append(.remove(number: number))
            numbers[name] = nil
          } else {
            changes.append(set(number, name))
          }
        } else {
          let number = (0...6).first { !numbers.values.contains($0) } ?? 7
          changes.append(set(number, name))
          numbers[name] = number
        }
      }
      for change in changes { table.stage(change) }
      table.flip()
      for index in 0..<6 { #expect(table.number(named: "s\(index)") == numbers["s\(index)"]) }
      settle(changes)
      for index in 0..<6 { #expect(table.number(named: "s\(index)") == numbers["s\(index)"]) }
    }
  }

  @Test("what a plugin keeps follows changes, and outlives what has gone")
  func kept() {
    data.apply(delta(1) { $0.services = [set(0, "a")] })
    let named = NamedService("a", of: data)
    let first = named.current
    #expect(first?.name == "a")
    // The same service with other settings.
    data.apply(delta(2) { $0.services = [set(0, "a")] })
    #expect(named.current === first)
    data.apply(delta(3) { $0.services = [.remove(number: 0)] })
    #expect(named.current === first)
    data.apply(delta(4) { $0.services = [set(4, "a")] })
    #expect(named.current?.name == "a" && named.current !== first)
    #expect(NamedService("b", of: data).current == nil)
  }

  private func delta(_ revision: UInt64, _ body: (inout Delta) -> Void) -> Delta {
    var delta = Delta(revision: revision)
    body(&delta)
    return delta
  }
}
