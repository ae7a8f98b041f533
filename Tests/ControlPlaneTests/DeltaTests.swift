import DataPlane
import Resources
import TLS
import Testing

@testable import ControlPlane

/// A delta holds what changed, and nothing else.
@Suite struct DeltaTests {
  private static func text(_ routes: Range<Int>) -> String {
    var text = """
      store: {path: penstock.db}
      listeners:
        - {name: web, address: "127.0.0.1:8080"}
        - {name: secure, address: "127.0.0.1:8443", tls: {}}
      services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
      routes:

      """
    for index in routes { text += "  - {name: r\(index), service: site, hosts: [r\(index).test]}\n" }
    return text
  }

  @Test func tellsOfOneRouteAmongAThousand() async throws {
    let running = try RunningPlane(Self.text(0..<1_000), in: TestFolder())
    try await running.start()
    #expect(running.served.routes.count == 1_000)
    try running.folder.write(Self.text(0..<1_001), to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request))
    #expect(running.sink.deltas.map(\.counts) == [[0, 0, 0, 1, 0, 0]])
    try await running.apply(put("routes/more", #"{"service":"site","hosts":["more.test"]}"#))
    try await running.apply(put("services/more", TransactionTests.shop))
    try await running.apply(delete("routes/more"))
    #expect(
      running.sink.deltas.dropFirst().map(\.counts) == [
        [0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0],
      ])
    // A service that changes does not concern its routes.
    try running.folder.write(Self.text(0..<1_001).replacing("3000", with: "3001"), to: "penstock.yaml")
    #expect(await running.control.reload(reason: .request))
    #expect(running.sink.deltas.last?.counts == [0, 0, 1, 0, 0, 0])
    #expect(running.sink.deltas.map(\.http) == [nil, nil, nil, nil, nil])
    await running.stop()
  }

  /// Numbers are given again: a delta that removes and adds tells workers of both under one number.
  @Test func usesNumbersAgain() async throws {
    let running = try RunningPlane(Self.text(0..<3), in: TestFolder())
    try await running.start()
    for round in 0..<5 {
      try await running.apply(
        put("services/s\(round)", TransactionTests.shop),
        put("routes/x\(round)", #"{"service":"s\#(round)","hosts":["x\#(round).test"]}"#))
      try await running.apply(
        delete("routes/x\(round)"), delete("services/s\(round)"), put("services/t", TransactionTests.shop),
        put("routes/y", #"{"service":"t","hosts":["y.test"]}"#))
      try await running.apply(delete("routes/y"), delete("services/t"))
    }
    #expect(running.served.routes.count == 3 && running.served.services.count == 1)
    #expect(running.served.problems == [])
    await running.stop()
  }

  /// What the store holds comes to workers with what files hold, in one delta; a listener of a file and the
  /// certificate by default that the store has for it in one entry.
  @Test func beginsWithOneEntryForEach() async throws {
    let folder = try TestFolder()
    try TestCertificate.write("shop", hosts: ["shop.test"], in: folder)
    let first = try RunningPlane(Self.text(0..<3), in: folder)
    try await first.start()
    try await first.apply(
      put("certificates/shop", #"{"certificate":"shop.pem","key":"shop.key","default":true}"#),
      put("routes/more", #"{"service":"site","hosts":["more.test"]}"#))
    // The listener gets its certificate; nobody else is told of anything.
    #expect(first.sink.deltas.map(\.counts) == [[1, 1, 0, 1, 0, 0]])
    #expect(first.sink.securities.map { $0.defaultCertificates.map(\.name) } == [["shop"]])
    await first.stop()

    let second = RunningPlane(.file(folder.path("penstock.yaml")), in: folder)
    let (settings, delta) = try await second.control.load()
    #expect(settings.store != nil && delta.http != nil)
    #expect(delta.counts == [2, 1, 1, 4, 0, 0])
    var served = ServedState()
    served.apply(delta)
    #expect(served.problems == [])
    #expect(served.listener("secure")?.security?.defaultCertificates.first === served.certificate("shop"))
    await second.stop()
  }

  @Test func joinsWhatIsToldOfAListener() throws {
    let plain = Listener(name: "a", address: HostPort(host: "127.0.0.1", port: 1))
    func security(_ revision: UInt64) -> ListenerSecurity {
      ListenerSecurity(revision: revision, options: TLSServerOptions())
    }
    var delta = Delta(revision: 1)
    delta.listeners = [
      .set(number: 0, plain, security: security(1)), .set(number: 1, plain, security: nil),
      .remove(number: 2),
    ]
    var later = Delta(revision: 2)
    later.listeners = [
      .setSecurity(number: 0, security(3)), .setSecurity(number: 4, security(5)), .remove(number: 1),
      .set(number: 1, plain, security: security(6)),
    ]
    delta.append(later)
    let told = delta.listeners.map { change in
      switch change {
      case .set(let number, _, let security): "set \(number) \(security?.revision ?? 0)"
      case .setSecurity(let number, let security): "security \(number) \(security.revision)"
      case .remove(let number): "remove \(number)"
      }
    }
    #expect(told == ["set 0 3", "set 1 0", "remove 2", "security 4 5", "remove 1", "set 1 6"])
    #expect(delta.revision == 2)
  }
}
