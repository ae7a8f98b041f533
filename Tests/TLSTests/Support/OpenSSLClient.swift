import Foundation
import Glibc

/// OpenSSL's own client, as a process that is talked with.
final class OpenSSLClient {
  private let process = Process()
  private let input = Pipe()
  private let path = FileManager.default.temporaryDirectory.appending(path: "s_client-\(UUID().uuidString)")
    .path()

  init(_ port: UInt16, _ arguments: [String]) throws {
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    let output = FileHandle(forWritingAtPath: path)!
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = ["s_client", "-connect", "127.0.0.1:\(port)"] + arguments
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
  }

  /// What it has printed so far.
  var output: String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  /// Sends a line, and waits until the output holds what is expected, or the client has ended.
  func send(_ line: String, until isDone: (String) -> Bool) {
    try? input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    wait(until: isDone)
  }

  /// Sends a line and waits until it comes back.
  func exchange(_ line: String) { send(line) { $0.contains("\n\(line)\n") } }

  /// Waits for output, 20 seconds at most: what is missing then fails the test.
  func wait(until isDone: (String) -> Bool) {
    for _ in 0..<4_000 {
      let isRunning = process.isRunning
      if isDone(output) || !isRunning { return }
      usleep(5_000)
    }
  }

  /// Ends the input, and with it the client.
  func finish() -> String {
    try? input.fileHandleForWriting.close()
    wait { _ in false }
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    return output
  }
}
