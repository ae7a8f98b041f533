import AdminClient
import ArgumentParser
import Resources

struct GetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Show resources of a running gateway.",
    discussion: """
      With -o yaml or json, resources have the vocabulary of configuration files: they can be edited, and \
      applied again. Private keys are never shown.
      """)

  enum Output: String, CaseIterable, ExpressibleByArgument { case table, yaml, json }

  @Argument(help: "listeners, services, certificates or routes.")
  var kind: ResourceKindArgument

  @Argument(help: "Only the resource of this name.")
  var name: String?

  @Option(name: .shortAndLong, help: "How they are shown.")
  var output = Output.table

  @Option(help: "Only names that begin so.")
  var prefix: String?

  @Option(help: "Only routes and certificates that list exactly this host.")
  var host: String?

  @Option(help: "Only what refers to this service: routes, and what has plugins that name it.")
  var service: String?

  @Option(help: "Only what is of this owner: store, file, file:PATH or built-in.")
  var owner: String?

  @OptionGroup var options: ClientOptions

  func validate() throws {
    if name != nil, [prefix, host, service, owner].contains(where: { $0 != nil }) {
      throw ValidationError("A name and a filter exclude each other.")
    }
  }

  func run() async throws {
    try await ClientExit.run { () async throws(ClientFailure) in
      let client = try options.client()
      let resources = try await resources(client)
      switch output {
      case .table:
        guard !resources.isEmpty else { return complain("There are no such \(kind.kind.rawValue).") }
        print(ResourceTable.text(resources, of: kind.kind), terminator: "")
      case .yaml: print(ResourceListText.yaml(resources, of: kind.kind), terminator: "")
      case .json: print(ResourceListText.json(resources, of: kind.kind), terminator: "")
      }
    }
  }

  private func resources(_ client: GatewayClient) async throws(ClientFailure) -> [RemoteResource] {
    if let name {
      let id = ResourceID(kind.kind, name)
      guard let resource = try await client.resource(id) else { throw .usage("There is no \(id).") }
      return [resource]
    }
    var filter = ResourceFilter()
    filter.prefix = prefix
    filter.host = host
    filter.service = service
    filter.owner = owner
    return try await client.resources(kind.kind, filter: filter)
  }
}

/// A kind in the plural or the singular.
struct ResourceKindArgument: ExpressibleByArgument {
  var kind: ResourceKind

  init?(argument: String) {
    guard let kind = ResourceKind(word: argument) else { return nil }
    self.kind = kind
  }

  static var allValueStrings: [String] { ResourceKind.allCases.map(\.rawValue) }
}
