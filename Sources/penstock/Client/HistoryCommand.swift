import AdminClient
import ArgumentParser

struct HistoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Show what changed, newest first, or all that one change did.")

  @Argument(help: "Only this change, with its differences.")
  var revision: UInt64?

  @Option(help: "How many changes are shown, from 1 to 1000.")
  var limit = 20

  @Option(help: "Only changes before this revision.")
  var before: UInt64?

  @OptionGroup var options: ClientOptions

  func validate() throws {
    guard (1...1_000).contains(limit) else { throw ValidationError("--limit is from 1 to 1000.") }
    if revision != nil, before != nil { throw ValidationError("A revision and --before exclude each other.") }
  }

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      let client = try options.client()
      guard let revision else {
        let changes = try await client.history(before: before, limit: limit)
        guard !changes.isEmpty else { return complain("There are no changes.") }
        return print(HistoryText.table(changes), terminator: "")
      }
      let (summary, differences) = try await client.change(revision)
      say(HistoryText.line(summary))
      for difference in differences {
        let names = ("\(difference.id) (before)", "\(difference.id) (revision \(revision))")
        let text = ResourceComparison.text(difference, names: names)
        print(text.isEmpty ? "\(difference.id): no difference that is shown\n" : text, terminator: "")
      }
    }
  }
}

struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Make the store's resources what they were after a revision.",
    discussion: "It is a change like any other, with a revision of its own: it can be rolled back as well.")

  @Argument(help: "The revision, as `penstock history` shows it.")
  var revision: UInt64

  @OptionGroup var change: ChangeArguments

  @OptionGroup var options: ClientOptions

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      change.report(try await options.client().rollback(to: revision, change.options()))
    }
  }
}
