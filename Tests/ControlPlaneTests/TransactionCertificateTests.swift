import DataPlane
import Foundation
import Resources
import TLS
import Testing

@testable import ControlPlane

/// Certificates whose text comes in a transaction: read, kept with their key sealed, and shown.
@Suite struct TransactionCertificateTests {
  static let text = """
    store: {path: penstock.db, key: {file: store.key}}
    listeners: [{name: secure, address: "127.0.0.1:8443", tls: true}]
    services: [{name: site, endpoints: ["127.0.0.1:3000"]}]
    routes: [{name: home, service: site}]

    """

  private func folder(_ names: String...) throws -> TestFolder {
    let folder = try TestFolder()
    try folder.write(String(repeating: "3d", count: 32) + "\n", to: "store.key")
    for name in names { try TestCertificate.write(name, hosts: ["\(name).test"], in: folder) }
    return folder
  }

  @Test func takesACertificateWithItsText() async throws {
    let folder = try folder("shop", "next")
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    let json = try certificateJSON("shop.pem", key: "shop.key", in: folder)
    let receipt = try await running.apply(put("certificates/shop", json))
    #expect(receipt.results.map(\.outcome) == [.created])
    #expect(running.sink.deltas.map(\.counts) == [[0, 1, 0, 0, 0, 0]])
    let first = try #require(running.served.certificate("shop"))
    #expect(first.hosts == ["shop.test"])
    let view = try #require(try await running.view("certificates/shop"))
    #expect(view.json.contains("BEGIN CERTIFICATE") && !view.json.contains("PRIVATE KEY"))
    #expect(await running.control.certificates.map(\.use) == [.listeners("shop")])

    // The same once more is no change, with and without the key.
    #expect(try await running.apply(put("certificates/shop", json)).results[0].outcome == .unchanged)
    let bare = try certificateJSON("shop.pem", key: nil, in: folder)
    #expect(try await running.apply(put("certificates/shop", bare)).results[0].outcome == .unchanged)
    // What was read can be sent back, with another option; so can a patch of one.
    let more = try certificateJSON("shop.pem", key: nil, in: folder, more: #","default":true"#)
    #expect(try await running.apply(put("certificates/shop", more)).results[0].outcome == .replaced)
    #expect(running.served.listener("secure")?.security?.defaultCertificates.map(\.name) == ["shop"])
    try await running.apply(patch("certificates/shop", #"{"default":null,"hosts":["a.test","b.test"]}"#))
    #expect(running.served.certificate("shop")?.hosts == ["a.test", "b.test"])
    #expect(running.served.listener("secure")?.security?.defaultCertificates.isEmpty == true)
    try await running.apply(patch("certificates/shop", #"{"hosts":null}"#))
    #expect(running.served.certificate("shop")?.hosts == ["shop.test"])
    #expect(running.served.certificate("shop")?.fingerprint == first.fingerprint)

    // Another certificate needs its own key.
    let other = try certificateJSON("next.pem", key: nil, in: folder)
    let refusal = try await running.refusal(put("certificates/shop", other))
    #expect(refusal.reason == .invalid && refusal.problems[0].field == "key", "\(refusal.problems)")
    let new = try await running.refusal(put("certificates/new", bare))
    #expect(new.reason == .invalid && new.problems[0].field == "key")
    let renewed = try certificateJSON("next.pem", key: "next.key", in: folder)
    try await running.apply(put("certificates/shop", renewed))
    #expect(running.served.certificate("shop")?.hosts == ["next.test"])
    try await running.apply(delete("certificates/shop"))
    #expect(running.served.certificates.isEmpty)
    await running.stop()
  }

  @Test func refusesWhatCannotBeShown() async throws {
    let folder = try folder("shop", "other")
    try TestCertificate.writeExpired("old", hosts: ["old.test"], in: folder)
    try folder.write("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n", to: "broken.pem")
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    try await running.apply(
      put("certificates/shop", try certificateJSON("shop.pem", key: "shop.key", in: folder)))
    let before = await running.picture()
    func problem(_ chain: String, _ key: String?, _ more: String = "") async throws -> ResourceProblem {
      let json = try certificateJSON(chain, key: key, in: folder, more: more)
      let refusal = try await running.refusal(
        put("certificates/new", json), put("services/s", TransactionTests.shop))
      #expect(refusal.reason == .invalid && refusal.problems.count == 1, "\(refusal.problems)")
      #expect(refusal.problems[0].operation == 0)
      return refusal.problems[0]
    }
    #expect(try await problem("old.pem", "old.key").message.contains("the certificate expired at"))
    #expect(try await problem("shop.pem", "other.key").message.contains("does not belong to the certificate"))
    #expect(try await problem("broken.pem", "shop.key").id == ResourceID(.certificates, "new"))
    #expect(try await problem("shop.key", "shop.pem").field == "certificate")
    let twice = try await problem("other.pem", "other.key", #","hosts":["x.test","shop.test"]"#)
    #expect(twice.field == "hosts" && twice.message.contains("\"shop.test\" already has a certificate"))
    #expect(try await problem("other.pem", "other.key", #","listeners":["none"]"#).field == "listeners[0]")
    #expect(await running.picture() == before && running.sink.deltas.count == 1)
    // The host changes hands in one transaction.
    let hosts = #","hosts":["shop.test"]"#
    try await running.apply(
      put("certificates/new", try certificateJSON("other.pem", key: "other.key", in: folder, more: hosts)),
      delete("certificates/shop"))
    #expect(running.served.certificates.values.map(\.certificate.name) == ["new"])
    await running.stop()
  }

  /// Paths begin beside the database; their files are followed as those of a configuration file.
  @Test func followsFilesThatTheStoreNames() async throws {
    let folder = try folder("shop", "next")
    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    let missing = try await running.refusal(
      put("certificates/shop", #"{"certificate":"gone.pem","key":"gone.key"}"#))
    #expect(missing.reason == .invalid && missing.problems.count == 2)
    #expect(missing.problems[0].message.hasPrefix(folder.path("gone.pem") + ": cannot be read"))
    try await running.apply(
      put("certificates/shop", #"{"certificate":"shop.pem","key":"shop.key"}"#),
      put("services/s", #"{"endpoints":["127.0.0.1:4000"],"tls":{"ca":"shop.pem"}}"#))
    let revision = try #require(running.served.service("s")?.security?.revision)
    try folder.rename("next.key", to: "shop.key")
    try folder.rename("next.pem", to: "shop.pem")
    try await eventually("the new pair is shown") {
      running.served.certificate("shop")?.hosts == ["next.test"]
    }
    try await eventually("the new authority is trusted") {
      running.served.service("s")?.security.map { $0.revision > revision } == true
    }
    #expect(await running.control.resourceStatus.revision == 2)
    // Nobody needs them any more.
    try await running.apply(delete("certificates/shop"), delete("services/s"))
    #expect(await running.control.registry.leftovers == [0, 0])
    await running.stop()
  }

  @Test func storesNoKeyInTheClear() async throws {
    let folder = try folder("shop")
    let bare = Self.text.replacing(", key: {file: store.key}", with: "")
    let unsealed = try RunningPlane(bare, in: folder)
    try await unsealed.start()
    let json = try certificateJSON("shop.pem", key: "shop.key", in: folder)
    let refusal = try await unsealed.refusal(put("certificates/shop", json))
    #expect(refusal.reason == .invalid && refusal.problems[0].field == "key")
    #expect(refusal.problems[0].hint?.contains("openssl rand -hex 32") == true)
    #expect(unsealed.served.certificates.isEmpty)
    #expect(await unsealed.control.registry.leftovers == [0, 0])
    await unsealed.stop()

    let running = try RunningPlane(Self.text, in: folder)
    try await running.start()
    try await running.apply(put("certificates/shop", json))
    let first = try #require(running.served.certificate("shop"))
    await running.stop()
    let key = try String(contentsOfFile: folder.path("shop.key"), encoding: .utf8)
    let line = try #require(key.split(separator: "\n").dropFirst().first)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path)
    where name.hasPrefix("penstock.db") {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path(name)))
      #expect(bytes.range(of: Data(line.utf8)) == nil, "\(name)")
      // PKCS #8 in DER, of which the last bytes are the public key.
      let der = try #require(Data(base64Encoded: key.split(separator: "\n").dropFirst().dropLast().joined()))
      #expect(bytes.range(of: der[30..<64]) == nil, "\(name)")
    }

    // It is there again after a start, and with another key it is not.
    let again = try RunningPlane(Self.text, in: folder)
    try await again.start()
    #expect(again.served.certificate("shop")?.fingerprint == first.fingerprint)
    #expect(await again.control.status.unservedProblem == nil)
    let bareJSON = try certificateJSON("shop.pem", key: nil, in: folder)
    #expect(try await again.apply(put("certificates/shop", bareJSON)).results[0].outcome == .unchanged)
    await again.stop()
    try folder.write(String(repeating: "4e", count: 32), to: "store.key")
    let other = try RunningPlane(Self.text, in: folder)
    try await other.start()
    #expect(other.served.certificates.isEmpty)
    #expect(await other.control.status.unservedProblem?.contains("encrypted with another key") == true)
    await other.stop()
    try folder.write("short", to: "store.key")
    let short = try RunningPlane(Self.text, in: folder)
    #expect(try await startProblem(short).contains("the key must be 32 random bytes"))
    await short.stop()
  }
}
