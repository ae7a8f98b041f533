/// Reads single resources, as the admin API takes them.
public enum ResourceReader {
  /// A resource with defaults filled in. What it has to do with others is not looked at; that is what
  /// ``Catalogue/apply(_:)-(ResourceBatch)`` does.
  ///
  /// Throws everything that is wrong, not only the first problem. Pure, from any thread but a worker's.
  ///
  /// - Parameters:
  ///   - id: The body need not say the name; where it does, it has to be the same.
  ///   - folder: Where relative paths in the body begin; empty: they stay as they are.
  ///   - plugins: Those that it may use.
  public static func read(
    _ id: ResourceID, _ body: ResourceBody, folder: String, plugins: PluginCatalog = .empty
  ) throws(ResourceProblems) -> Resource {
    let diagnostics = Diagnostics(path: "", folder: folder, plugins: plugins)
    let value = Value(node: body.node, place: .root, diagnostics: diagnostics)
    let name = Value(
      node: YAMLNode(.scalar(id.name, isPlain: false), at: body.node.position), place: .key("name", .root),
      diagnostics: diagnostics)
    _ = name.name()
    let resource: Resource? =
      switch id.kind {
      case .listeners: ListenerReader.read(value, name: id.name).map(Resource.listener)
      case .services: ServiceReader.read(value, name: id.name).map(Resource.service)
      case .certificates: CertificateReader.read(value, name: id.name).map(Resource.certificate)
      case .routes: RouteReader.read(value, name: id.name).map(Resource.route)
      case .consumers: ConsumerReader.read(value, name: id.name).map(Resource.consumer)
      case .plugins: GlobalPluginReader.read(value, name: id.name).map(Resource.plugin)
      }
    if let errors = diagnostics.errors { throw ResourceProblems(errors, of: id) }
    guard let resource else {
      throw ResourceProblems(ResourceProblem(id, "this is not a \(id.kind.singular)"))
    }
    return resource
  }

  /// A problem of the catalogue with its field as the body has it: for a route that says `service: shop`,
  /// not `backends[0].service`.
  public static func located(_ problem: ResourceProblem, in body: ResourceBody) -> ResourceProblem {
    var problem = problem
    problem.field = FieldPlace(problem.field, in: body.node).field
    return problem
  }
}

extension ResourceProblems {
  fileprivate init(_ errors: ConfigurationErrors, of id: ResourceID) {
    self.init(
      errors.errors.map { ResourceProblem(id, field: $0.keyPath, $0.message, hint: $0.hint) },
      omitted: errors.omitted)
  }
}
