import AdminClient
import ArgumentParser

struct PurgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Take stored responses out of the caches.",
    discussion: """
      One of a URL, --prefix, --tag and --everything says which. URLs are those that clients ask for, with scheme \
      and host. Prints how many responses there were.
      """)

  @Argument(help: "The URL, such as https://shop.example.com/list?page=2.")
  var url: String?

  @Option(help: "All URLs that begin so, such as https://shop.example.com/images/.")
  var prefix: String?

  @Option(help: "All responses with this word in Surrogate-Key or Cache-Tag.")
  var tag: String?

  @Flag(help: "All responses.")
  var everything = false

  @Option(help: "Only in this zone; default: in all.")
  var zone: String?

  @OptionGroup var options: ClientOptions

  private var questions: [PurgeQuestion] {
    [url.map { .url($0) }, prefix.map { .prefix($0) }, tag.map { .tag($0) }, everything ? .everything : nil]
      .compactMap { $0 }
  }

  func validate() throws {
    guard questions.count == 1 else {
      throw ValidationError("One of a URL, --prefix, --tag and --everything says what is to be purged.")
    }
  }

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      let count = try await options.client().purge(questions[0], zone: zone)
      print("purged: \(count)")
    }
  }
}
