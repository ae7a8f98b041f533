import Foundation
import Testing

/// dnsmasq on a port of its own, with records of its own: everything under `test`.
///
/// `@unchecked Sendable`: used by one test's task at a time.
final class DNSServer: @unchecked Sendable {
  let folder: TestFolder
  let port: UInt16
  private let timeToLive: Int
  private var process: ChildProcess?

  /// - Parameters:
  ///   - records: Lines of a hosts file: `10.0.0.1 web.test`.
  ///   - timeToLive: Of every record, in seconds.
  init(records: String, timeToLive: Int) throws {
    folder = try TestFolder()
    port = try freeLocalPort()
    self.timeToLive = timeToLive
    try folder.write(records, to: "hosts")
    try start()
  }

  deinit { stop() }

  var address: String { "127.0.0.1:\(port)" }

  /// Replaces the records; the server's answers follow a moment later.
  func replace(records: String) throws {
    try folder.write(records, to: "hosts")
    process?.signal(SIGHUP)
  }

  func start() throws {
    let path = ["/usr/sbin/dnsmasq", "/usr/bin/dnsmasq"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
    let executable = try #require(path, "dnsmasq is missing: install Debian's dnsmasq-base")
    process = try ChildProcess(
      executable,
      [
        "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-daemon",
        "--port=\(port)", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/",
        "--addn-hosts=\(folder.path("hosts"))", "--local-ttl=\(timeToLive)", "--cname=alias.test,web.test",
        // It must go on reading the test's folder.
        "--user=\(NSUserName())", "--group=",
      ])
  }

  func stop() {
    process?.stop()
    process = nil
  }
}
