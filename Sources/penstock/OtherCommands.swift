import ArgumentParser
import ControlPlane
import EchoOrigin
import Gateway
import Plugins
import Resources

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say everything that is wrong in a configuration file, and in the files that it names for TLS.")

  @Argument(help: "The configuration file (YAML).")
  var file: String

  func run() throws {
    do {
      let configuration = try ConfigurationSource.file(file).check()
      let (services, routes) = (configuration.services.count, configuration.routes.count)
      say("\(file): correct: \(services) service(s), \(routes) route(s)")
    } catch {
      complain(error.description)
      throw ExitCode.failure
    }
  }
}

struct PluginsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugins", abstract: "List the plugins that there are, in the order in which they run.",
    discussion: "A name, its priority (the higher run first), and what it does.")

  func run() {
    for kind in PluginCatalog.standard.kinds {
      let name = kind.name + String(repeating: " ", count: max(0, 18 - kind.name.count))
      let priority = "\(kind.priority)"
      say("\(name) \(String(repeating: " ", count: max(0, 5 - priority.count)))\(priority)  \(kind.summary)")
    }
  }
}

struct OriginCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "origin", abstract: "Serve an echo origin: it answers what it received, as JSON.",
    discussion: """
      For trying things out. The query may ask for more: status=503, delay=200 (milliseconds), \
      bytes=1000 (that much content instead of the JSON).
      """)

  @Option(help: "The port on the address; 0 takes a free one.")
  var port: UInt16 = 9_000

  @Option(help: "The IP address to listen on.")
  var address = "127.0.0.1"

  @Option(help: "What it calls itself in its answers, to tell several apart.")
  var name = "origin"

  func run() async throws {
    let origins = EmbeddedOrigins()
    do {
      let bound = try await origins.start(name: name, ip: address, port: port)
      say("echo origin on http://\(bound.description)")
    } catch {
      complain("cannot listen on \(address):\(port): \(error.description)")
      throw ExitCode.failure
    }
    await origins.waitForSignal()
    await origins.stop()
  }
}

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Say which version this is.")

  func run() {
    say("penstock \(Version.current)")
  }
}
