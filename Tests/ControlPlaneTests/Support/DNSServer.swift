import Foundation
import Testing

/// dnsmasq on a port of its own, with records of its own: everything under `test`.
///
/// `@unchecked Sendable`: used by one test's task at a time.
final class DNSServer: @unchecked Sendable {
  let folder: TestFolder
  private(set) var port: UInt16 = 0
  private let timeToLive: Int
  private var process: ChildProcess?

  /// - Parameters:
  ///   - records: Lines of a hosts file: `10.0.0.1 web.test`.
  ///   - timeToLive: Of every record, in seconds.
  init(records: String, timeToLive: Int) throws {
    folder = try TestFolder()
    self.timeToLive = timeToLive
    try folder.write(records, to: "hosts")
    // Another program may have taken the port in the meantime.
    for _ in 0..<5 {
      port = try freeLocalPort()
      try start()
      if isServing() { return }
      stop()
    }
    throw TimeIsUp()
  }

  /// Waits until connections are accepted; false where the server has ended, or does not come.
  private func isServing() -> Bool {
    for _ in 0..<200 where process?.isRunning == true {
      if canConnect(port: port) { return true }
      usleep(10_000)
    }
    return false
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
