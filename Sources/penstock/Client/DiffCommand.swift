import AdminClient
import ArgumentParser
import Resources

struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what applying files would change, or what changed between revisions.",
    usage: """
      penstock diff -f FILE... [OPTIONS]
      penstock diff REVISION [REVISION] [OPTIONS]
      """,
    discussion: """
      Exits with 0 where there is no difference, 1 where there are differences, 2 where something is wrong. \
      Private keys are not shown.
      """)

  @Argument(help: "The older revision, and the newer one; default: the last.")
  var revisions: [UInt64] = []

  @Option(
    name: [.short, .customLong("file")], help: "A file, a directory of files, or - for standard input.")
  var files: [String] = []

  @OptionGroup var options: ClientOptions

  func validate() throws {
    guard revisions.isEmpty != files.isEmpty, revisions.count <= 2 else {
      throw ValidationError("Either -f FILE, or one or two revisions.")
    }
  }

  func run() async throws {
    let differs = Differs()
    try await ClientExit.run(failure: 2) { () async throws(ClientFailure) in
      let client = try options.client()
      if files.isEmpty {
        try await compareRevisions(client, differs)
      } else {
        try await compareFiles(client, differs)
      }
    }
    if differs.value { throw ExitCode(1) }
  }

  private final class Differs { var value = false }

  private func compareRevisions(_ client: GatewayClient, _ differs: Differs) async throws(ClientFailure) {
    let to = revisions.count > 1 ? revisions[1] : nil
    for difference in try await client.difference(from: revisions[0], to: to) {
      differs.value = true
      show(difference, after: to.map { "revision \($0)" } ?? "now", before: "revision \(revisions[0])")
    }
  }

  private func compareFiles(_ client: GatewayClient, _ differs: Differs) async throws(ClientFailure) {
    let documents = try ChangeDocuments.read(files)
    var dryRun = ChangeOptions()
    dryRun.isDryRun = true
    let receipt = try await documents.locating { () async throws(ClientFailure) in
      try await client.apply(documents.changes, dryRun)
    }
    for (change, result) in zip(documents.changes, receipt.results) where result.outcome != "unchanged" {
      differs.value = true
      let current = result.outcome == "created" ? nil : try await client.resource(change.id)?.body
      let after: ResourceBody? =
        switch change.action {
        case .put(let body): body
        case .patch(let patch): current?.merged(with: patch) ?? patch
        case .delete: nil
        }
      let difference = ResourceVersions(id: change.id, before: current, after: after)
      show(difference, after: documents.place(of: change.id) ?? "files", before: "gateway")
    }
  }

  private func show(_ difference: AdminClient.ResourceVersions, after: String, before: String) {
    let text = ResourceComparison.text(
      difference, names: ("\(difference.id) (\(before))", "\(difference.id) (\(after))"))
    if !text.isEmpty {
      print(text, terminator: "")
    } else if difference.id.kind == .certificates {
      // Nothing else of a certificate is left out.
      print("\(difference.id): the private key differs")
    } else {
      print("\(difference.id): written differently, with the same meaning")
    }
  }
}
