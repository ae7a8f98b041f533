@testable import Resources

/// A catalogue with resources written as YAML, and what it says about them.
final class CatalogueBench {
  let catalogue = Catalogue()
  private(set) var revision: UInt64 = 0

  init() { catalogue.listenersNeedCertificates = false }

  /// The resource of `routes/shop` and its body.
  static func resource(_ id: ResourceID, _ body: String) throws -> Resource {
    try ResourceReader.read(
      id, ResourceBody(yaml: body), folder: "", plugins: PluginCatalog([Sender.self, Tracer.self]))
  }

  static func id(_ text: String) throws -> ResourceID {
    let parts = text.split(separator: "/")
    guard parts.count == 2, let kind = ResourceKind(rawValue: String(parts[0])) else {
      throw ResourceProblem(nil, "\(text) is not KIND/NAME")
    }
    return ResourceID(kind, String(parts[1]))
  }

  /// Puts in their order, which is that of routes too.
  func batch(
    _ puts: KeyValuePairs<String, String> = [:], removes: [String] = [], owner: ResourceOwner = .store,
    isComplete: Bool = false
  ) throws -> ResourceBatch {
    revision += 1
    var batch = ResourceBatch(owner: owner, revision: revision, isComplete: isComplete)
    for (index, (id, body)) in puts.enumerated() {
      let position = owner == .store ? nil : SourcePosition(line: UInt32(index + 1), column: 1)
      batch.puts.append(
        ResourceBatch.Put(
          try Self.resource(Self.id(id), body), position: position, order: UInt32(index)))
    }
    batch.removes = try removes.map(Self.id)
    return batch
  }

  @discardableResult
  func apply(
    _ puts: KeyValuePairs<String, String> = [:], removes: [String] = [], owner: ResourceOwner = .store,
    isComplete: Bool = false
  ) throws -> AppliedBatch {
    try catalogue.apply(batch(puts, removes: removes, owner: owner, isComplete: isComplete))
  }

  /// One line for each problem, sorted; empty where the batch was applied.
  func problems(
    _ puts: KeyValuePairs<String, String> = [:], removes: [String] = [], owner: ResourceOwner = .store,
    isComplete: Bool = false
  ) throws -> [String] {
    try problems([batch(puts, removes: removes, owner: owner, isComplete: isComplete)])
  }

  func problems(_ batches: [ResourceBatch]) throws -> [String] {
    let before = catalogue.dump
    do throws(ResourceProblems) {
      _ = try catalogue.apply(batches)
      return []
    } catch {
      guard catalogue.dump == before else { return ["the catalogue has changed"] }
      return error.problems.map(\.description).sorted()
    }
  }
}

extension Catalogue {
  /// Everything that has to be as before when a change is undone or refused.
  var dump: [String] {
    listenerTable.dump + serviceTable.dump + certificateTable.dump + routeTable.dump + consumerTable.dump
      + pluginTable.dump + links.dump
  }
}

/// A plugin that names services in each way in which an option can.
struct Sender: PluginSettings {
  static let name = "sender"
  static let summary = "Sends to services."
  static let priority = 10
  static let options = [
    PluginOption("to", .service, "One."),
    PluginOption("others", .list(.service, maximum: 8), "Several."),
    PluginOption("byKey", .map(.token("a key"), .service, maximum: 8), "By key."),
    PluginOption(
      "rules",
      .list(
        .object([
          PluginOption("to", .list(.object([.required("service", .service, "One.")]), maximum: 4), "Some.")
        ]), maximum: 8),
      "In lists of lists."),
    PluginOption("word", .text("a word"), "Another option."),
  ]
  init(_ values: OptionValues) throws(OptionProblem) {}

  static func attachment(to services: [String]) -> PluginAttachment {
    var values = OptionValues(options)
    values.set("others", .list(services.map(OptionValue.text)))
    // swift-format-ignore: NeverUseForceTry
    return PluginAttachment(name: name, isEnabled: true, values: values, settings: try! Sender(values))
  }
}

/// The same under another name, so that there can be two of them for all requests.
struct Tracer: PluginSettings {
  static let name = "tracer"
  static let summary = "Sends to services."
  static let priority = 9
  static let options = Sender.options
  init(_ values: OptionValues) throws(OptionProblem) {}
}
