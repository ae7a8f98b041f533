import AdminClient
import ArgumentParser

struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Make or replace the resources that files hold, all of them or none.",
    discussion: """
      Files have `listeners`, `services`, `certificates` and `routes` as configuration files do, as YAML or \
      JSON. PEM files that certificates name are read here and sent: the gateway may be elsewhere. What is \
      not in the files stays as it is.
      """)

  @Option(
    name: [.short, .customLong("file")], help: "A file, a directory of files, or - for standard input.")
  var files: [String]

  @OptionGroup var change: ChangeArguments

  @OptionGroup var options: ClientOptions

  func validate() throws {
    if files.isEmpty { throw ValidationError("-f FILE says what is to be applied.") }
  }

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      let client = try options.client()
      let documents = try ChangeDocuments.read(files)
      let receipt = try await documents.locating { () async throws(ClientFailure) in
        try await client.apply(documents.changes, change.options(message: documents.message))
      }
      change.report(receipt)
    }
  }
}

/// How a change is made: the same for all commands that make one.
struct ChangeArguments: ParsableArguments {
  @Flag(help: "Check everything, and change nothing.")
  var dryRun = false

  @Option(name: .shortAndLong, help: "Why, for the history.")
  var message: String?

  @Flag(name: .customLong("no-wait"), help: "Do not wait until every worker serves the change.")
  var doesNotWait = false

  func options(message other: String? = nil) -> ChangeOptions {
    var options = ChangeOptions()
    options.isDryRun = dryRun
    options.waits = !doesNotWait
    options.message = message ?? other
    return options
  }

  /// A line for each resource, and the revision.
  func report(_ receipt: ChangeReceipt) {
    for result in receipt.results {
      say(TerminalText.line("\(result.id) \(result.outcome)\(dryRun ? " (dry run)" : "")"))
    }
    switch (dryRun, receipt.changesAnything) {
    case (true, _): say("nothing was changed: the revision is \(receipt.revision)")
    case (false, false): say("revision \(receipt.revision), as before")
    case (false, true):
      let served = receipt.isServed ? ", served by every worker" : ""
      say("revision \(receipt.revision)\(served)")
      if !receipt.isServed, !doesNotWait {
        complain("The change is durable, but not every worker serves it yet.")
      }
    }
  }
}
