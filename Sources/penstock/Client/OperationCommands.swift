import AdminClient
import ArgumentParser

struct UpgradeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upgrade",
    abstract: "Start the installed binary in place of the running one, without a gap.",
    discussion: """
      The new process gets the listening sockets, and the old one drains when the new one is ready. Where it \
      does not become ready, the old one goes on.
      """)

  @OptionGroup var options: ClientOptions

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      let client = try options.client()
      let before = try await client.status()
      try await client.upgrade()
      let after = try await client.status(after: before)
      say(TerminalText.line("upgraded: \(Self.text(before)) -> \(Self.text(after))"))
    }
  }

  private static func text(_ status: GatewayStatus) -> String {
    "version \(status.version)" + (status.pid.map { ", process \($0)" } ?? "")
  }
}

struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Print changes as they happen, until interrupted.",
    discussion: "Where the connection ends, as by an upgrade, it goes on from the last change.")

  @Option(help: "Begin with the first change after this revision; default: with the next.")
  var after: UInt64?

  @Option(help: "End after so many changes.")
  var count: Int?

  @OptionGroup var options: ClientOptions

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count is at least 1.") }
  }

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      try await ChangeWatch(client: options.client(), after: after).run(count: count) { event in
        switch event {
        case .change(let summary): say(HistoryText.line(summary))
        case .resync(let revision):
          complain("Changes are missing before revision \(revision); `penstock history` has what is kept.")
        }
      }
    }
  }
}
