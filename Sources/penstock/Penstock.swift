import ArgumentParser

@main
struct Penstock: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "penstock",
    abstract: "An HTTP ingress and API gateway.",
    subcommands: [
      RunCommand.self, CheckCommand.self, PluginsCommand.self, OriginCommand.self, VersionCommand.self,
    ],
    groupedSubcommands: [
      CommandGroup(
        name: "Running gateway",
        subcommands: [
          GetCommand.self, ApplyCommand.self, DeleteCommand.self, DiffCommand.self, HistoryCommand.self,
          RollbackCommand.self, ExplainCommand.self, PurgeCommand.self, WatchCommand.self,
          UpgradeCommand.self,
        ])
    ],
    defaultSubcommand: nil)
}
