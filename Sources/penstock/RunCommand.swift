import ArgumentParser
import ControlPlane
import EchoOrigin
import Gateway
import Logging
import Resources
import Runtime

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Serve traffic as a configuration file says.",
    discussion: """
      Without a file, a listener on 127.0.0.1:8080 in front of two embedded origins is served.

      SIGTERM and SIGINT finish what is in flight, within http.timeouts.drain; a second one ends it. \
      SIGHUP reads the file again and opens log files anew. Saved edits are picked up by themselves. \
      SIGUSR2 replaces the process by a new one of the same program, without a cut.
      """)

  @Option(name: [.short, .customLong("config")], help: "The configuration file (YAML).")
  var config: String?

  @Option(help: "Worker threads; default: the file's `workers`, or one for each CPU.")
  var workers: Int?

  @Option(help: "Seconds that the new process of an upgrade (SIGUSR2) may take until it serves.")
  var upgradeTimeout = 60

  func validate() throws {
    if !(1...86_400).contains(upgradeTimeout) {
      throw ValidationError("--upgrade-timeout must be within 1 and 86400.")
    }
    if let workers, !(1...1_024).contains(workers) {
      throw ValidationError("--workers must be within 1 and 1024.")
    }
  }

  func run() async throws {
    ProcessMemory.avoidPauses()
    WorkerThread.shareCPUs()
    let logger = Logger(label: "penstock") { StreamLogHandler.standardError(label: $0) }
    var embedded: EmbeddedOrigins?
    let source: ConfigurationSource
    if let config {
      source = .file(config)
    } else {
      let origins = EmbeddedOrigins()
      embedded = origins
      source = .fixed(
        DefaultConfiguration.make(
          origins: await origins.start(names: ["origin-1", "origin-2"], ports: [9_001, 9_002])))
    }
    var options = Gateway.Options(source: source, workers: workers, logger: logger)
    options.upgradeTimeLimit = .seconds(upgradeTimeout)
    if config == nil { options.whenReady = { say(DefaultConfiguration.greeting) } }
    do {
      try await Gateway(options).run()
    } catch {
      complain(error.description)
      ProcessEnd.now(status: 1)
    }
    await embedded?.stop()
    ProcessEnd.now(status: 0)
  }
}
