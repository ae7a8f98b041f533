import AdminClient
import ArgumentParser
import Foundation

/// Where the gateway is, and how it is asked; all commands of the client have these.
struct ClientOptions: ParsableArguments {
  @Option(help: "The gateway's admin address. [PENSTOCK_ADMIN; default: http://127.0.0.1:9900]")
  var admin: String?

  @Option(help: "The admin token; visible to others in the list of processes. [PENSTOCK_ADMIN_TOKEN]")
  var token: String?

  @Option(help: "A file with the admin token.")
  var tokenFile: String?

  func validate() throws {
    if token != nil, tokenFile != nil {
      throw ValidationError("--token and --token-file exclude each other.")
    }
  }

  func client() throws(ClientFailure) -> GatewayClient {
    let environment = ProcessInfo.processInfo.environment
    let address = try (admin ?? environment["PENSTOCK_ADMIN"]).map { text throws(ClientFailure) in
      try AdminAddress(text)
    }
    return GatewayClient(
      address: address ?? .local,
      token: try AdminTokenText.read(
        text: token, file: tokenFile, environment: environment["PENSTOCK_ADMIN_TOKEN"]))
  }
}

/// How a client command ends.
enum ClientExit {
  /// Runs a command's work; what goes wrong is printed, and becomes the exit code.
  ///
  /// - Parameter failure: 1, except where that means something else.
  static func run(
    failure: Int32 = 1, _ work: () async throws(ClientFailure) -> Void
  ) async throws {
    do {
      try await work()
    } catch {
      complain(TerminalText.block(error.description))
      throw ExitCode(failure)
    }
  }
}
