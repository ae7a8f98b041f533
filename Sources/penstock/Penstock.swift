import ArgumentParser

@main
struct Penstock: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "penstock",
    abstract: "An HTTP ingress and API gateway.",
    subcommands: [RunCommand.self, CheckCommand.self, OriginCommand.self, VersionCommand.self],
    defaultSubcommand: nil)
}
