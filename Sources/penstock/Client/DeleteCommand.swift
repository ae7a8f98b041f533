import AdminClient
import ArgumentParser
import Resources

struct DeleteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete resources, all of them or none.",
    usage: """
      penstock delete KIND NAME... [OPTIONS]
      penstock delete -f FILE... [OPTIONS]
      """,
    discussion: "With -f, what is deleted are the resources that the files hold.")

  @Argument(help: "A kind (listeners, services, certificates, routes), and the names.")
  var words: [String] = []

  @Option(
    name: [.short, .customLong("file")], help: "A file, a directory of files, or - for standard input.")
  var files: [String] = []

  @OptionGroup var change: ChangeArguments

  @OptionGroup var options: ClientOptions

  func validate() throws {
    guard words.isEmpty != files.isEmpty else {
      throw ValidationError("Either a kind and names, or -f FILE, says what is to be deleted.")
    }
    guard let word = words.first else { return }
    guard ResourceKind(word: word) != nil else {
      let kinds = ResourceKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("\"\(word)\" is no kind: one of \(kinds).")
    }
    guard words.count > 1 else { throw ValidationError("Which of the \(word)? Give one name or more.") }
  }

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      let client = try options.client()
      let receipt: ChangeReceipt
      if let kind = words.first.flatMap({ ResourceKind(word: $0) }) {
        let deletions = words.dropFirst().map { ResourceChange(ResourceID(kind, $0), .delete) }
        receipt = try await client.apply(deletions, change.options())
      } else {
        let documents = try ChangeDocuments.read(files, readsCertificates: false)
        receipt = try await documents.locating { () async throws(ClientFailure) in
          try await client.apply(documents.deletions, change.options())
        }
      }
      change.report(receipt)
    }
  }
}
