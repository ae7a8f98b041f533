import Foundation
import Runtime
import Testing

@testable import TLS

/// Other programs on real sockets: OpenSSL's own client and server.
struct LoopbackTests {
  private static let authority = Authority.shared

  /// A worker on a thread of its own, with an echo server on it.
  private final class Server {
    let worker: Worker
    let local: WorkerLocal<EchoServer>
    let port: UInt16

    init(_ options: TLSServerOptions = TLSServerOptions(), _ certificates: [TLSCertificate]) async throws {
      worker = Worker(index: 0, seam: EpollSeam())
      local = WorkerLocal(on: worker) { worker in
        let tls = TLSWorker(on: worker)
        let table = CertificateTable()
        for certificate in certificates { table.set(certificate) }
        return EchoServer(try! TLSServerContext(options, certificates: table, on: tls), on: worker)
      }
      WorkerThread.start(worker, name: "tls-test", pinned: false) {}
      port = await local.call { $0.port }!
    }

    func last() async -> EchoServer.Report { await local.call { $0.last }! }

    func stop() async {
      _ = await local.call { $0.stop() }
      local.end()
      worker.stop()
    }
  }

  /// Runs OpenSSL's client with lines of input, each of which comes back before the next is sent.
  private func client(_ port: UInt16, _ arguments: [String], lines: [String] = ["hello"]) throws -> String {
    let client = try OpenSSLClient(port, arguments)
    for line in lines { client.exchange(line) }
    return client.finish()
  }

  private static let ecdsa = try! authority.certificate("ecdsa", ["both.example"])
  private static let rsa = try! authority.certificate("rsa", ["both.example"], key: .rsa)

  @Test("OpenSSL's client talks with each version, suite and group")
  func suites() async throws {
    let server = try await Server(TLSServerOptions(), [Self.ecdsa, Self.rsa])
    let name = ["-servername", "both.example"]
    for (arguments, cipher, certificate) in [
      (["-tls1_3"], "TLS_AES_256_GCM_SHA384", "ecdsa"),
      (["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"], "TLS_AES_128_GCM_SHA256", "ecdsa"),
      (
        ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], "TLS_CHACHA20_POLY1305_SHA256", "ecdsa"
      ),
      (["-tls1_3", "-groups", "P-384"], "TLS_AES_256_GCM_SHA384", "ecdsa"),
      // Offers P-521's share first, so that it is asked for another.
      (["-tls1_3", "-groups", "P-521:P-256"], "TLS_AES_256_GCM_SHA384", "ecdsa"),
      (["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"], "TLS_AES_256_GCM_SHA384", "rsa"),
      (["-tls1_2"], "ECDHE-ECDSA-AES256-GCM-SHA384", "ecdsa"),
      (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "ECDHE-RSA-AES128-GCM-SHA256", "rsa"),
      (["-tls1_2", "-sigalgs", "RSA+SHA256"], "ECDHE-RSA-AES256-GCM-SHA384", "rsa"),
      (["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], "ECDHE-ECDSA-CHACHA20-POLY1305", "ecdsa"),
    ] {
      let output = try client(server.port, name + arguments, lines: ["hello, \(cipher)", "again"])
      let last = await server.last()
      #expect(last.cipher == cipher && last.certificate == certificate, "\(arguments): \(last)")
      #expect(
        output.contains("\nhello, \(cipher)\n") && output.contains("\nagain\n"), "\(arguments): \(output)")
    }
    await server.stop()
  }

  @Test("What the profiles do not offer is refused")
  func refusals() async throws {
    var modern = TLSServerOptions()
    modern.profile = .modern
    let server = try await Server(TLSServerOptions(), [Self.ecdsa, Self.rsa])
    let modernServer = try await Server(modern, [Self.ecdsa])
    let name = ["-servername", "both.example"]
    func failure(_ server: Server, _ arguments: [String]) async throws -> TLSFailure.Kind? {
      _ = try client(server.port, arguments)
      return await server.last().failure?.kind
    }
    #expect(try await failure(modernServer, name + ["-tls1_2"]) == .unsupportedProtocol)
    #expect(
      try await failure(server, name + ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]) == .unsupportedProtocol)
    #expect(try await failure(server, name + ["-tls1_2", "-cipher", "AES128-GCM-SHA256"]) == .noSharedCipher)
    #expect(
      try await failure(server, name + ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"]) == .noSharedCipher
    )
    #expect(try await failure(server, name + ["-tls1_3", "-groups", "P-521"]) == .noSharedCipher)
    #expect(try await failure(server, ["-servername", "unknown.example"]) == .unknownHost)
    #expect(try client(server.port, ["-servername", "unknown.example"]).contains("unrecognized name"))
    await server.stop()
    await modernServer.stop()
  }

  @Test(
    "The client changes its key, and asks for a change",
    arguments: ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
  func keyUpdates(_ cipher: String) async throws {
    let server = try await Server(TLSServerOptions(), [Self.ecdsa])
    let client = try OpenSSLClient(
      server.port, ["-servername", "both.example", "-tls1_3", "-ciphersuites", cipher])
    var updates = 0
    // A line of k is a KeyUpdate, one of K asks for the server's as well.
    func update(_ command: String) {
      updates += 1
      client.send(command) { $0.components(separatedBy: "KEYUPDATE").count > updates }
    }
    client.exchange("before")
    update("k")
    client.exchange("between")
    update("K")
    client.exchange("after")
    update("K")
    update("K")
    client.exchange("last")
    let output = client.finish()
    for line in ["before", "between", "after", "last"] {
      #expect(output.contains("\n\(line)\n"), "\(output)")
    }
    #expect(output.components(separatedBy: "KEYUPDATE").count == 5)
    await server.stop()
  }

  @Test("Renegotiation is refused")
  func renegotiation() async throws {
    let server = try await Server(TLSServerOptions(), [Self.ecdsa])
    let client = try OpenSSLClient(server.port, ["-servername", "both.example", "-tls1_2"])
    client.exchange("before")
    client.send("R") { $0.contains("no renegotiation") }
    let output = client.finish()
    #expect(output.contains("\nbefore\n"))
    #expect(output.contains("no renegotiation"), "\(output)")
    await server.stop()
  }

  @Test("ALPN, and a response of OCSP that is stapled")
  func extensions() async throws {
    let files = Self.authority.issue(["DNS:ocsp.example"])
    let folder = files.directory.path()
    let ca = Self.authority.directory.path()
    Authority.openssl([
      "ocsp", "-issuer", ca + "/ca.pem", "-cert", files.chainPath, "-reqout", folder + "/request",
    ])
    Authority.openssl([
      "ocsp", "-index", ca + "/index.txt", "-CA", ca + "/ca.pem", "-rsigner", ca + "/ca.pem", "-rkey",
      ca + "/ca.key",
      "-reqin", folder + "/request", "-respout", folder + "/response", "-ndays", "1",
    ])
    let response = Authority.read(folder + "/response")
    let certificate = try TLSCertificate.load(
      name: "ocsp", chainPEM: files.chain, keyPEM: files.key, ocspDER: response)
    let server = try await Server(TLSServerOptions(), [certificate, Self.ecdsa])
    for version in ["-tls1_3", "-tls1_2"] {
      let output = try client(
        server.port, ["-servername", "ocsp.example", "-status", "-alpn", "h2,http/1.1", version])
      #expect(output.contains("OCSP Response Status: successful"))
      #expect(output.contains("ALPN protocol: h2"))
      #expect(await server.last().applicationProtocol == .http2)
      let without = try client(
        server.port, ["-servername", "both.example", "-status", "-alpn", "http/1.1", version])
      #expect(without.contains("OCSP response: no response sent"))
      #expect(without.contains("ALPN protocol: http/1.1"))
    }
    await server.stop()
  }

  @Test("OpenSSL's client resumes, with each version", arguments: ["-tls1_3", "-tls1_2"])
  func resumption(_ version: String) async throws {
    let server = try await Server(TLSServerOptions(), [Self.ecdsa])
    let path = FileManager.default.temporaryDirectory.appending(path: "session-\(UUID().uuidString)").path()
    let first = try OpenSSLClient(server.port, ["-servername", "both.example", version, "-sess_out", path])
    // The session is written when its ticket has come.
    first.exchange("hello")
    first.wait { _ in FileManager.default.fileExists(atPath: path) }
    _ = first.finish()
    #expect(await !server.last().isResumed)
    let output = try client(server.port, ["-servername", "both.example", version, "-sess_in", path])
    #expect(await server.last().isResumed)
    #expect(output.contains("Reused"))
    await server.stop()
  }

  @Test("Megabytes go through a real network and back")
  func bulk() async throws {
    let server = try await Server(TLSServerOptions(), [Self.ecdsa])
    let file = FileManager.default.temporaryDirectory.appending(path: "bulk-\(UUID().uuidString)")
    // No letters, which the client would take for commands.
    let bytes = pattern(3_000_000).map { $0 & 15 | 0x30 }
    #expect(FileManager.default.createFile(atPath: file.path(), contents: Data(bytes)))
    for version in ["-tls1_3", "-tls1_2"] {
      let process = Process()
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = [
        "-c",
        "(cat \(file.path()); sleep 1) | timeout 20 openssl s_client -quiet -no_ign_eof -nocommands -nbio -connect 127.0.0.1:\(server.port)"
          + " -servername both.example \(version) 2>/dev/null",
      ]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let data = output.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      #expect(Array(data) == bytes)
    }
    await server.stop()
  }
}
