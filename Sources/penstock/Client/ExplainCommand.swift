import AdminClient
import ArgumentParser

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Say which listener, certificate, route, service and endpoint a request would get, and why.",
    discussion: "No request is sent to a service.")

  enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

  @Argument(help: "The request's URL, such as https://shop.example.com/cart.")
  var url: String

  @Option(name: [.customShort("X"), .customLong("method")], help: "The request's method.")
  var method = "GET"

  @Option(name: [.customShort("H"), .customLong("header")], help: "A field of the request: 'Name: value'.")
  var headers: [String] = []

  @Option(help: "The listener, where the URL's port does not say which is meant.")
  var listener: String?

  @Option(name: .shortAndLong, help: "How it is shown.")
  var output = Output.text

  @OptionGroup var options: ClientOptions

  func validate() throws {
    for header in headers where !header.contains(":") || header.hasPrefix(":") {
      throw ValidationError("-H takes 'Name: value'; there is no name and colon in \"\(header)\".")
    }
  }

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      var question = ExplainQuestion(url: url)
      question.method = method
      question.listener = listener
      question.headers = headers.map { header in
        let parts = header.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(parts[0]), String(parts[1].drop { $0 == " " }))
      }
      let explanation = try await options.client().explain(question)
      switch output {
      case .text: print(ExplanationText.text(explanation, of: question), terminator: "")
      case .json: print(JSONLayout.text(explanation), terminator: "")
      }
    }
  }
}
